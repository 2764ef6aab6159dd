"""The typical cells of a data scientist are kept, and come back as they were."""

import pytest
from kinds import Case, Kinds

CSV = "a,b\n1,x\n2,y\n3,x\n"
DATA = "import numpy as np\nrng = np.random.default_rng(0)\nX = rng.normal(size=(60, 3))\nt = X @ [1.0, 2.0, 3.0] + 0.1\n"
CASES = {
    "first plot of a kernel": Case(
        "%%cached a\nimport matplotlib.pyplot as plt\nplt.plot([1, 2, 4])\nplt.show()"
    ),
    "another plot": Case(
        "%%cached a\nfig, ax = plt.subplots(1, 2)\nax[0].hist(X[:, 0]); ax[1].scatter(X[:, 0], t)\nfig.suptitle('two')",
        "type(fig).__name__, len(fig.axes)",
        DATA + "import matplotlib.pyplot as plt",
    ),
    "plot of pandas": Case(
        "%%cached a\nimport pandas as pd\npd.DataFrame({'a': [1, 2], 'b': [2, 1]}).plot(kind='bar')"
    ),
    "seaborn": Case(
        "%%cached a\nimport pandas as pd, seaborn as sns\nsns.set_theme()\nsns.histplot(pd.Series([1, 2, 2]))",
        "import matplotlib as mpl\nmpl.rcdefaults()\n%matplotlib inline",
    ),
    "seaborn's grid": Case(
        "%%cached a\nimport pandas as pd, seaborn as sns\ng = sns.pairplot(pd.DataFrame({'a': [1, 2, 2.5], 'b': [3, 1, 2.]}))",
        "type(g).__name__",
    ),
    "fit": Case(
        "%%cached a\nfrom sklearn.linear_model import LinearRegression\nmodel = LinearRegression().fit(X, t)\nprint(round(model.score(X, t), 3))\nmodel",
        "model.predict(X[:2]).round(3)",
        DATA,
        same=False,
    ),
    "forest with two jobs": Case(
        "%%cached a\nfrom sklearn.ensemble import RandomForestRegressor\nmodel = RandomForestRegressor(5, n_jobs=2, random_state=0).fit(X, t)",
        "model.predict(X[:2]).round(3)",
        DATA,
    ),
    "forest with no seed": Case(
        "%%cached a\nfrom sklearn.ensemble import RandomForestRegressor\nmodel = RandomForestRegressor(5).fit(X, t)\ns = len(model.estimators_)",
        "s",
        DATA,
        same=False,
    ),
    "search with two jobs": Case(
        "%%cached a\nfrom sklearn.model_selection import GridSearchCV\nfrom sklearn.linear_model import Ridge\nsearch = GridSearchCV(Ridge(), {'alpha': [0.1, 1]}, n_jobs=2).fit(X, t)\nbest = search.best_params_",
        "best, type(search.best_estimator_).__name__",
        DATA,
    ),
    "pipeline and split": Case(
        "%%cached a\nfrom sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import StandardScaler\nfrom sklearn.linear_model import Ridge\nfrom sklearn.model_selection import train_test_split, cross_val_score\nX1, X2, t1, t2 = train_test_split(X, t, random_state=1)\npipe = make_pipeline(StandardScaler(), Ridge()).fit(X1, t1)\nscores = cross_val_score(pipe, X, t)",
        "pipe.score(X2, t2).round(3), scores.round(3)",
        DATA,
    ),
    "joblib": Case(
        "%%cached a\nfrom joblib import Parallel, delayed\nfrom math import sqrt\nr = Parallel(n_jobs=2)(delayed(sqrt)(i) for i in range(4))",
        "r",
    ),
    "statsmodels": Case(
        "%%cached a\nimport statsmodels.api as sm\nfit = sm.OLS(t, sm.add_constant(X)).fit()\nfit.summary()",
        "fit.params.round(3)",
        DATA,
        same=False,
    ),
    "statsmodels by formula": Case(
        "%%cached a\nimport pandas as pd, statsmodels.formula.api as smf\nfit = smf.ols('t ~ x', pd.DataFrame({'t': t, 'x': X[:, 0]})).fit()\nr2 = fit.rsquared",
        "round(r2, 3)",
        DATA,
    ),
    "scipy": Case(
        "%%cached a\nfrom scipy import optimize, stats\nres = optimize.minimize(lambda p: ((p - 1) ** 2).sum(), [0.0, 0.0])\npopt, _ = optimize.curve_fit(lambda x, a: a * x, X[:, 0], t)\nres",
        "res.x.round(3), popt.round(2)",
        DATA,
    ),
    "scipy interpolation": Case(
        "%%cached a\nfrom scipy.interpolate import CubicSpline\nfrom scipy.integrate import solve_ivp\nspline = CubicSpline([0, 1, 2], [0, 1, 4])\nsol = solve_ivp(lambda t, y: -y, (0, 1), [1.0])",
        "float(spline(1.5)), sol.y.shape",
    ),
    "sql": Case(
        "%%cached a\nimport sqlite3, pandas as pd\nwith sqlite3.connect(':memory:') as db:\n    pd.DataFrame({'a': [1, 2]}).to_sql('t', db)\n    q = pd.read_sql('select sum(a) s from t', db)\ndb.close()\ndel db",
        "q",
    ),
    "groupby and merge": Case(
        "%%cached a\ng = df.groupby('b').a.agg(['mean', 'sum'])\nm = df.merge(g, left_on='b', right_index=True)\nm.describe()",
        "m",
        "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2, 3], 'b': list('xyx')})",
    ),
    "new column": Case(
        "%%cached a\ndf2 = df.assign(c=df.a * 2)\ndf2.head()",
        "df2",
        "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2, 3]})",
    ),
    "dates and resampling": Case(
        "%%cached a\nimport pandas as pd, numpy as np\ns = pd.Series(range(10), pd.date_range('2020', periods=10, freq='D')).resample('W').sum()\ns",
        "s",
    ),
    "polars": Case(
        "%%cached a\nimport polars as pl\nd = pl.DataFrame({'a': [1, 2]}).with_columns(b=pl.col('a') * 2)\nd",
        "d",
    ),
    "helpers and classes": Case(
        "%%cached a\nfrom dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\ndef make(n): return [P(i) for i in range(n)]\nps = make(3)",
        "ps, isinstance(ps[0], P)",
    ),
    "timer": Case(
        "%%cached a\nimport time\nbegan = time.perf_counter()\ny = sum(range(10))\nprint(f'{time.perf_counter() - began:.3f} s')",
        "y",
    ),
    "regular expressions and collections": Case(
        "%%cached a\nimport re, collections\nc = collections.Counter(re.findall(r'\\w', 'abca'))\nd = collections.defaultdict(list); d['a'].append(1)\np = re.compile('a+')",
        "c, d, p",
    ),
    "image": Case(
        "%%cached a\nfrom PIL import Image\nim = Image.new('RGB', (4, 4), 'red')\nim",
        "im.size, im.getpixel((0, 0))",
    ),
    "progress of a loop with a plot": Case(
        "%%cached a\nimport matplotlib.pyplot as plt\nfrom tqdm.auto import tqdm\nvs = []\nfor i in tqdm(range(3)):\n    vs.append(i ** 2)\nplt.plot(vs);",
        "vs",
        same=False,
    ),
    # --- files
    "csv read": Case(
        "%%cached a\nimport pandas as pd\ndf = pd.read_csv('in.csv')\ndf",
        "df",
        files={"in.csv": CSV},
    ),
    "csv written and read back": Case(
        "%%cached a\nimport pandas as pd\npd.DataFrame({'a': [1]}).to_csv('out.csv', index=False)\nback = pd.read_csv('out.csv')",
        "back, open('out.csv').read()",
    ),
    "parquet": Case(
        "%%cached a\ndf = pd.read_parquet('in.parquet')",
        "df",
        "import pandas as pd\npd.DataFrame({'a': [1, 2]}).to_parquet('in.parquet')",
    ),
    "json": Case(
        "%%cached a\nimport json\nwith open('c.json') as f:\n    conf = json.load(f)\nconf",
        "conf, f.closed",
        files={"c.json": '{"k": [1]}'},
    ),
    "json written": Case(
        "%%cached a\nimport json\nwith open('w.json', 'w') as f:\n    json.dump([1], f)",
        "open('w.json').read()",
    ),
    "pickle": Case(
        "%%cached a\nimport pickle\nwith open('o.pkl', 'wb') as f:\n    pickle.dump([1], f)\nwith open('o.pkl', 'rb') as f:\n    o = pickle.load(f)",
        "o, f",
    ),
    "savefig": Case(
        "%%cached a\nimport os, matplotlib.pyplot as plt\nos.makedirs('figures', exist_ok=True)\nplt.plot([1, 2])\nplt.savefig('figures/a.png')",
        "os.path.exists('figures/a.png')",
    ),
    "numpy files": Case(
        "%%cached a\nimport numpy as np\nnp.savez('z.npz', a=np.arange(3))\nwith np.load('z.npz') as z:\n    a = z['a']\ndel z",
        "a",
    ),
    "file listing": Case(
        "%%cached a\nfrom pathlib import Path\nnames = sorted(p.name for p in Path('.').glob('in.*sv'))",
        "names",
        files={"in.csv": CSV},
    ),
    "text file": Case(
        "%%cached a\nfrom pathlib import Path\ntext = Path('in.csv').read_text()\nlines = [l.strip() for l in open('in.csv')]",
        "text, lines",
        files={"in.csv": CSV},
        same=False,
    ),
}


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    return Kinds(tmp_path_factory.mktemp("typical"), CASES)
