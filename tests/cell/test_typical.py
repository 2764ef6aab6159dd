"""The typical cells of a data scientist are kept, and come back as they were."""

import pytest
from kinds import Case, Kinds, verify

CASES = {
    "first plot of a kernel": Case(
        (
            "%%cached a\nimport matplotlib.pyplot as plt\nplt.plot([1, 2, 4])\n"
            "plt.show()"
        ),
    ),
    "another plot": Case(
        (
            "%%cached a\nfig, ax = plt.subplots(1, 2)\n"
            "ax[0].hist(X[:, 0]); ax[1].scatter(X[:, 0], t)\nfig.suptitle('two')"
        ),
        after="type(fig).__name__, len(fig.axes)",
        before=(
            "import numpy as np\nrng = np.random.default_rng(0)\n"
            "X = rng.normal(size=(60, 3))\nt = X @ [1.0, 2.0, 3.0] + 0.1\n"
            "import matplotlib.pyplot as plt"
        ),
    ),
    "plot of pandas": Case(
        (
            "%%cached a\nimport pandas as pd\n"
            "pd.DataFrame({'a': [1, 2], 'b': [2, 1]}).plot(kind='bar')"
        ),
    ),
    "sql": Case(
        (
            "%%cached a\nimport sqlite3, pandas as pd\n"
            "with sqlite3.connect(':memory:') as db:\n"
            "    pd.DataFrame({'a': [1, 2]}).to_sql('t', db)\n"
            "    q = pd.read_sql('select sum(a) s from t', db)\ndb.close()\ndel db"
        ),
        after="q",
    ),
    "groupby and merge": Case(
        (
            "%%cached a\ng = df.groupby('b').a.agg(['mean', 'sum'])\n"
            "m = df.merge(g, left_on='b', right_index=True)\nm.describe()"
        ),
        after="m",
        before=(
            "import pandas as pd\n"
            "df = pd.DataFrame({'a': [1, 2, 3], 'b': list('xyx')})\n"
        ),
    ),
    "new column": Case(
        "%%cached a\ndf2 = df.assign(c=df.a * 2)\ndf2.head()",
        after="df2",
        before="import pandas as pd\ndf = pd.DataFrame({'a': [1, 2, 3]})",
    ),
    "dates and resampling": Case(
        (
            "%%cached a\nimport pandas as pd, numpy as np\n"
            "s = pd.Series(range(10), pd.date_range('2020', periods=10, "
            "freq='D')).resample('W').sum()\ns"
        ),
        after="s",
    ),
    "helpers and classes": Case(
        (
            "%%cached a\nfrom dataclasses import dataclass\n@dataclass\nclass P:\n"
            "    x: int\ndef make(n): return [P(i) for i in range(n)]\nps = make(3)"
        ),
        after="ps, isinstance(ps[0], P)",
    ),
    "timer": Case(
        (
            "%%cached a\nimport time\nbegan = time.perf_counter()\n"
            "y = sum(range(10))\nprint(f'{time.perf_counter() - began:.3f} s')"
        ),
        after="y",
    ),
    "regular expressions and collections": Case(
        (
            "%%cached a\nimport re, collections\n"
            "c = collections.Counter(re.findall(r'\\w', 'abca'))\n"
            "d = collections.defaultdict(list); d['a'].append(1)\n"
            "p = re.compile('a+')"
        ),
        after="c, d, p",
    ),
    "image": Case(
        ("%%cached a\nfrom PIL import Image\nim = Image.new('RGB', (4, 4), 'red')\nim"),
        after="im.size, im.getpixel((0, 0))",
    ),
    "progress of a loop with a plot": Case(
        (
            "%%cached a\nimport matplotlib.pyplot as plt\n"
            "from tqdm.auto import tqdm\nvs = []\nfor i in tqdm(range(3)):\n"
            "    vs.append(i ** 2)\nplt.plot(vs);"
        ),
        after="vs",
        same=False,
    ),
    "csv read": Case(
        "%%cached a\nimport pandas as pd\ndf = pd.read_csv('in.csv')\ndf",
        after="df",
        files={
            "in.csv": "a,b\n1,x\n2,y\n3,x\n",
        },
    ),
    "csv written and read back": Case(
        (
            "%%cached a\nimport pandas as pd\n"
            "pd.DataFrame({'a': [1]}).to_csv('out.csv', index=False)\n"
            "back = pd.read_csv('out.csv')"
        ),
        after="back, open('out.csv').read()",
    ),
    "json": Case(
        (
            "%%cached a\nimport json\nwith open('c.json') as f:\n"
            "    conf = json.load(f)\nconf"
        ),
        after="conf, f.closed",
        files={
            "c.json": '{"k": [1]}',
        },
    ),
    "json written": Case(
        (
            "%%cached a\nimport json\nwith open('w.json', 'w') as f:\n"
            "    json.dump([1], f)"
        ),
        after="open('w.json').read()",
    ),
    "pickle": Case(
        (
            "%%cached a\nimport pickle\nwith open('o.pkl', 'wb') as f:\n"
            "    pickle.dump([1], f)\nwith open('o.pkl', 'rb') as f:\n"
            "    o = pickle.load(f)"
        ),
        after="o, f",
    ),
    "savefig": Case(
        (
            "%%cached a\nimport os, matplotlib.pyplot as plt\n"
            "os.makedirs('figures', exist_ok=True)\nplt.plot([1, 2])\n"
            "plt.savefig('figures/a.png')"
        ),
        after="os.path.exists('figures/a.png')",
    ),
    "numpy files": Case(
        (
            "%%cached a\nimport numpy as np\nnp.savez('z.npz', a=np.arange(3))\n"
            "with np.load('z.npz') as z:\n    a = z['a']\ndel z"
        ),
        after="a",
    ),
    "file listing": Case(
        (
            "%%cached a\nfrom pathlib import Path\n"
            "names = sorted(p.name for p in Path('.').glob('in.*sv'))"
        ),
        after="names",
        files={
            "in.csv": "a,b\n1,x\n2,y\n3,x\n",
        },
    ),
    "text file": Case(
        (
            "%%cached a\nfrom pathlib import Path\n"
            "text = Path('in.csv').read_text()\n"
            "lines = [l.strip() for l in open('in.csv')]"
        ),
        after="text, lines",
        files={
            "in.csv": "a,b\n1,x\n2,y\n3,x\n",
        },
        same=False,
    ),
    "executor": Case(
        (
            "%%cached a\nfrom concurrent.futures import ThreadPoolExecutor\n"
            "with ThreadPoolExecutor(2) as ex:\n    fut = ex.submit(pow, 2, 5)\n"
            "    out = list(ex.map(abs, [-1, 2]))"
        ),
        after="out, fut.result(), fut.done(), ex._shutdown",
    ),
    "pool of processes": Case(
        (
            "%%cached a\nfrom multiprocessing import Pool\n"
            "with Pool(2) as pool:\n    out = pool.map(abs, [-1, 2])"
        ),
        after="out, pool",
    ),
    "results of executors as inputs": Case(
        "%%cached a\ntotal = sum(f.result() for f in fs) + len(match[0])",
        after="total",
        before=(
            "import re\nfrom concurrent.futures import ThreadPoolExecutor\n"
            "with ThreadPoolExecutor() as ex:\n"
            "    fs = [ex.submit(abs, -i) for i in range(3)]\n"
            "match = re.match('a+', 'aab')"
        ),
    ),
    "joblib in a with": Case(
        (
            "%%cached a\nfrom joblib import Parallel, delayed\n"
            "with Parallel(n_jobs=2, prefer='threads') as parallel:\n"
            "    r = parallel(delayed(abs)(i) for i in range(-2, 0))"
        ),
        after="r, parallel",
    ),
    "bar with a name": Case(
        (
            "%%cached a\nfrom tqdm import tqdm\npbar = tqdm(range(3), desc='x')\n"
            "for i in pbar:\n    pbar.set_postfix(i=i)"
        ),
        after="pbar.n, pbar.total, pbar.desc, pbar.disable, list(pbar)",
        same=False,
    ),
    "bar with a name in a notebook": Case(
        (
            "%%cached a\nfrom tqdm.notebook import tqdm\n"
            "with tqdm(total=3) as pbar:\n    for i in range(3):\n"
            "        pbar.update()"
        ),
        after="pbar.n, pbar.total, pbar.disable",
        same=False,
    ),
    "match and readers": Case(
        (
            "%%cached a\nimport csv, os, re, gzip, zipfile\n"
            "os.makedirs('figures', exist_ok=True)\n"
            "m = re.search(r'(?P<x>\\d+)', 'ab12')\n"
            "with open('in.csv') as f:\n    reader = csv.DictReader(f)\n"
            "    rows = list(reader)\n"
            "with zipfile.ZipFile('figures/made.zip', 'w') as z:\n"
            "    z.writestr('a', 'b')\n"
            "with gzip.open('figures/made.gz', 'wt') as g:\n    g.write('b')"
        ),
        after="m, m['x'], rows, reader.fieldnames, z.namelist(), g.closed",
        files={
            "in.csv": "a,b\n1,x\n2,y\n3,x\n",
        },
    ),
    "logger": Case(
        "%%cached a\nimport logging\nlog = logging.getLogger('x')\nlog.info('y')",
        after="log, log is logging.getLogger('x')",
    ),
    "logger as input": Case(
        "%%cached a\nlog.warning('careful')\ny = 1",
        after="y",
        before="import logging\nlog = logging.getLogger('x')",
    ),
    "ended threads and processes": Case(
        (
            "%%cached a\nimport subprocess, threading\n"
            "t = threading.Thread(target=abs, args=(1,), name='t')\n"
            "t.start(); t.join()\n"
            "p = subprocess.Popen(['true'], stdout=subprocess.PIPE)\n"
            "out, _ = p.communicate()"
        ),
        after="t.is_alive(), p.returncode, out",
    ),
    "closed database": Case(
        (
            "%%cached a\nimport sqlite3\ndb = sqlite3.connect(':memory:')\n"
            "n = db.execute('select 1').fetchall()\ndb.close()"
        ),
        after="n, type(db).__name__",
    ),
    "a value that nobody reads": Case(
        "%%cached a\nimport threading\n_ = threading.Lock()\ny = 1",
        after="y",
    ),
}

# importing these takes tens of seconds in three kernels
HEAVY = {
    "seaborn": Case(
        (
            "%%cached a\nimport pandas as pd, seaborn as sns\n"
            "sns.histplot(pd.Series([1, 2, 2]))"
        ),
    ),
    "seaborn's grid": Case(
        (
            "%%cached a\nimport pandas as pd, seaborn as sns\n"
            "g = sns.pairplot(pd.DataFrame({'a': [1, 2, 2.5], 'b': [3, 1, 2.]}))"
        ),
        after="type(g).__name__",
    ),
    "fit": Case(
        (
            "%%cached a\nfrom sklearn.linear_model import LinearRegression\n"
            "model = LinearRegression().fit(X, t)\n"
            "print(round(model.score(X, t), 3))\nmodel"
        ),
        after="model.predict(X[:2]).round(3)",
        before=(
            "import numpy as np\nrng = np.random.default_rng(0)\n"
            "X = rng.normal(size=(60, 3))\nt = X @ [1.0, 2.0, 3.0] + 0.1\n"
            "import sklearn.ensemble\n"
        ),
        same=False,
    ),
    "forest with two jobs": Case(
        (
            "%%cached a\nfrom sklearn.ensemble import RandomForestRegressor\n"
            "model = RandomForestRegressor(5, n_jobs=2, random_state=0).fit(X, t)"
        ),
        after="model.predict(X[:2]).round(3)",
        before=(
            "import numpy as np\nrng = np.random.default_rng(0)\n"
            "X = rng.normal(size=(60, 3))\nt = X @ [1.0, 2.0, 3.0] + 0.1\n"
            "import sklearn.ensemble\n"
        ),
    ),
    "forest with no seed": Case(
        (
            "%%cached a\nfrom sklearn.ensemble import RandomForestRegressor\n"
            "model = RandomForestRegressor(5).fit(X, t)\ns = len(model.estimators_)"
        ),
        after="s",
        before=(
            "import numpy as np\nrng = np.random.default_rng(0)\n"
            "X = rng.normal(size=(60, 3))\nt = X @ [1.0, 2.0, 3.0] + 0.1\n"
            "import sklearn.ensemble\n"
        ),
        same=False,
    ),
    "search with two jobs": Case(
        (
            "%%cached a\nfrom sklearn.model_selection import GridSearchCV\n"
            "from sklearn.linear_model import Ridge\n"
            "search = GridSearchCV(Ridge(), {'alpha': [0.1, 1]}, "
            "n_jobs=2).fit(X, t)\nbest = search.best_params_"
        ),
        after="best, type(search.best_estimator_).__name__",
        before=(
            "import numpy as np\nrng = np.random.default_rng(0)\n"
            "X = rng.normal(size=(60, 3))\nt = X @ [1.0, 2.0, 3.0] + 0.1\n"
            "import sklearn.ensemble\n"
        ),
    ),
    "pipeline and split": Case(
        (
            "%%cached a\nfrom sklearn.pipeline import make_pipeline\n"
            "from sklearn.preprocessing import StandardScaler\n"
            "from sklearn.linear_model import Ridge\n"
            "from sklearn.model_selection import train_test_split, "
            "cross_val_score\n"
            "X1, X2, t1, t2 = train_test_split(X, t, random_state=1)\n"
            "pipe = make_pipeline(StandardScaler(), Ridge()).fit(X1, t1)\n"
            "scores = cross_val_score(pipe, X, t)"
        ),
        after="round(pipe.score(X2, t2), 3), scores.round(3)",
        before=(
            "import numpy as np\nrng = np.random.default_rng(0)\n"
            "X = rng.normal(size=(60, 3))\nt = X @ [1.0, 2.0, 3.0] + 0.1\n"
            "import sklearn.ensemble\n"
        ),
    ),
    "joblib": Case(
        (
            "%%cached a\nfrom joblib import Parallel, delayed\n"
            "from math import sqrt\n"
            "r = Parallel(n_jobs=2)(delayed(sqrt)(i) for i in range(4))"
        ),
        after="r",
    ),
    "statsmodels": Case(
        (
            "%%cached a\nimport statsmodels.api as sm\n"
            "fit = sm.OLS(t, sm.add_constant(X)).fit()\nfit.summary()"
        ),
        after="fit.params.round(3)",
        before=(
            "import numpy as np\nrng = np.random.default_rng(0)\n"
            "X = rng.normal(size=(60, 3))\nt = X @ [1.0, 2.0, 3.0] + 0.1\n"
        ),
        same=False,
    ),
    "statsmodels by formula": Case(
        (
            "%%cached a\nimport pandas as pd, statsmodels.formula.api as smf\n"
            "fit = smf.ols('t ~ x', pd.DataFrame({'t': t, 'x': X[:, 0]})).fit()\n"
            "r2 = fit.rsquared"
        ),
        after="round(r2, 3)",
        before=(
            "import numpy as np\nrng = np.random.default_rng(0)\n"
            "X = rng.normal(size=(60, 3))\nt = X @ [1.0, 2.0, 3.0] + 0.1\n"
        ),
    ),
    "scipy": Case(
        (
            "%%cached a\nfrom scipy import optimize, stats\n"
            "res = optimize.minimize(lambda p: ((p - 1) ** 2).sum(), [0.0, 0.0])\n"
            "popt, _ = optimize.curve_fit(lambda x, a: a * x, X[:, 0], t)\nres"
        ),
        after="res.x.round(3), popt.round(2)",
        before=(
            "import numpy as np\nrng = np.random.default_rng(0)\n"
            "X = rng.normal(size=(60, 3))\nt = X @ [1.0, 2.0, 3.0] + 0.1\n"
        ),
    ),
    "scipy interpolation": Case(
        (
            "%%cached a\nfrom scipy.interpolate import CubicSpline\n"
            "from scipy.integrate import solve_ivp\n"
            "spline = CubicSpline([0, 1, 2], [0, 1, 4])\n"
            "sol = solve_ivp(lambda t, y: -y, (0, 1), [1.0])"
        ),
        after="float(spline(1.5)), sol.y.shape",
    ),
    "parquet": Case(
        "%%cached a\ndf = pd.read_parquet('in.parquet')",
        after="df",
        before=(
            "import pandas as pd\npd.DataFrame({'a': [1, 2]}).to_parquet('in.parquet')"
        ),
    ),
}


@pytest.fixture(scope="module")
def light(tmp_path_factory):
    """Cases that need no more than the tests do, in three kernels."""
    return Kinds(tmp_path_factory.mktemp("light"), CASES)


@pytest.fixture(scope="module")
def heavy(tmp_path_factory):
    """Cases that need large packages."""
    for package in ("pyarrow", "seaborn", "sklearn", "statsmodels"):
        pytest.importorskip(package)
    return Kinds(tmp_path_factory.mktemp("heavy"), HEAVY)


@pytest.mark.parametrize("name", CASES)
def test_typical_cell_is_kept(light, name):
    """In a new kernel it comes from the cache and shows what a run shows."""
    verify(light, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", HEAVY)
def test_typical_cell_with_a_large_package_is_kept(heavy, name):
    """In a new kernel it comes from the cache and shows what a run shows."""
    verify(heavy, name)
