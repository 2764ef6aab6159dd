"""Cells of every kind: a run, a stored run and a hit show and leave the same."""

import pytest
from kinds import Case, Kinds

TQDM = "from tqdm import tqdm\nfrom tqdm.notebook import tqdm as bar\n"
PLOT = "import matplotlib.pyplot as plt\n"

CASES = {
    # --- other cell magics, above and below
    "time above": Case("%%time\n%%cached a\ny = sum(range(10))\ny", "y, _"),
    "time below": Case("%%cached a\n%%time\ny = sum(range(10))\ny", "y"),
    "capture above": Case(
        "%%capture out\n%%cached a\nprint('hi')\ny = 3\ny", "y, out.stdout"
    ),
    "capture below": Case(
        "%%cached a\n%%capture out\nprint('hi')\ny = 3\ny", "y, out.stdout"
    ),
    "capture below without a name": Case(
        "%%cached a\n%%capture\nprint('hi')\ny = 3", "y"
    ),
    "prun below": Case("%%cached a\n%%prun -q -r\ny = sum(range(10))", "y", same=False),
    "prun above": Case("%%prun -q -r\n%%cached a\ny = sum(range(10))", "y"),
    "timeit below": Case("%%cached a\n%%timeit -n 1 -r 1\nsum(range(10))"),
    "bash below": Case("%%cached a\n%%bash\necho $((1 + 2))"),
    "bash below, with captured output": Case(
        "%%cached a\n%%bash --out text\necho $((1 + 2))", "text"
    ),
    "sh below": Case("%%cached a\n%%sh\necho hi; echo no >&2"),
    "html below": Case("%%cached a\n%%html\n<b>1</b>"),
    "latex, markdown and svg below": Case("%%cached a\n%%markdown\n*a*"),
    "javascript below": Case("%%cached a\n%%javascript\n1"),
    "writefile below": Case(
        "%%cached a\n%%writefile made.txt\ntext", "open('made.txt').read()"
    ),
    "a magic nobody knows below": Case(
        "%%cached a\n%%perl\n1", refused="perl", same=False
    ),
    "nested magics": Case(
        "%%cached a\n%%time\n%%capture out\nprint(1)\ny = 2", "y, out.stdout"
    ),
    # --- line magics
    "time of an expression": Case("%%cached a\n%time y = sum(range(10))", "y"),
    "time with a value": Case("%%cached a\n%time sum(range(10))"),
    "time of an input": Case(
        "%%cached a\n%time y = f(3)", "y", "def f(x): return x + 1"
    ),
    "timeit": Case(
        "%%cached a\nt = %timeit -n 1 -r 1 -o -q sum(range(10))\ny = t.loops", "y"
    ),
    "timeit that prints": Case("%%cached a\n%timeit -n 1 -r 1 sum(range(10))"),
    "prun": Case("%%cached a\n%prun -q y = sum(range(10))", "y"),
    "matplotlib": Case("%%cached a\n%matplotlib inline\ny = 1", "y"),
    "config": Case(
        "%%cached a\n%config InlineBackend.close_figures = True\ny = 1",
        "x = %config InlineBackend.figure_formats\nprint(get_ipython().config.InlineBackend, y)",
    ),
    "load_ext and autoreload": Case(
        "%%cached a\n%load_ext autoreload\n%autoreload 2\ny = 1", "y"
    ),
    "who": Case("%%cached a\n%who\ny = 1", "y", refused="%who", same=False),
    "env": Case("%%cached a\n%env NBX=1\ny = 1", refused="%env", same=False),
    "cd": Case("%%cached a\n%cd -q .\ny = 1", refused="%cd", same=False),
    "pwd": Case("%%cached a\ny = %pwd", refused="%pwd", same=False),
    # --- shell
    "shell": Case("%%cached a\n!echo hi; echo no >&2\ny = 1", "y"),
    "shell with captured output": Case(
        "%%cached a\nfiles = !echo one; echo two\nfiles",
        "files, type(files), files.s, files.grep('one')",
    ),
    "shell with captured output, twice": Case("%%cached a\n!!echo one", "_"),
    "shell with a name": Case("%%cached a\n!echo {n} $n\n", before="n = 3"),
    "exit code": Case("%%cached a\n!exit 3\n", "_exit_code"),
    # --- run
    "run": Case(
        "%%cached a\n%run script.py\nz = made + 1",
        "made, z, helper(1)",
        files={
            "script.py": "import scriptmod\nmade = scriptmod.K\ndef helper(x): return x + made\nprint('ran')\n",
            "scriptmod.py": "K = 41\n",
        },
    ),
    "run with arguments": Case(
        "%%cached a\n%run script2.py one two",
        "made",
        files={"script2.py": "import sys\nmade = sys.argv[1:]\n"},
    ),
    "run in the namespace": Case(
        "%%cached a\n%run -i script3.py",
        "made",
        "base = 4",
        files={"script3.py": "made = base + 1\n"},
    ),
    "run of a file that fails": Case(
        "%%cached a\n%run bad.py\n",
        refused="error",
        files={"bad.py": "1 / 0\n"},
        same=False,
    ),
    "run of a file with a class": Case(
        "%%cached a\n%run kind.py\nz = K().f()",
        "z, K().f()",
        files={"kind.py": "class K:\n    def f(self): return 3\n"},
    ),
    "run twice": Case(
        "%%cached a\n%run one.py\n%run two.py",
        "one, two, f(2)",
        files={
            "one.py": "one = 1\ndef f(x): return x + one\n",
            "two.py": "two = 2\none = 5\n",
        },
    ),
    "run whose functions are used": Case(
        "%%cached a\ny = f(2)",
        "y",
        "%run used.py",
        files={"used.py": "one = 1\ndef f(x): return x + one\n"},
    ),
    # --- figures
    "first plot": Case(f"%%cached a\n{PLOT}plt.plot([1, 2, 4]);"),
    "plot as a value": Case(f"%%cached a\n{PLOT}plt.plot([1, 2, 4])"),
    "figure as a value": Case(
        f"%%cached a\n{PLOT}fig, ax = plt.subplots()\nax.plot([1])\nfig",
        "type(fig).__name__, len(fig.axes), ax is fig.axes[0]",
    ),
    "several figures": Case(
        f"%%cached a\n{PLOT}for i in range(3):\n    plt.figure(); plt.plot([i, 1])"
    ),
    "show": Case(
        f"%%cached a\n{PLOT}plt.plot([3, 1])\nplt.show()\nprint('between')\nplt.plot([1, 3])\nplt.show()"
    ),
    "figure bound": Case(
        f"%%cached a\n{PLOT}fig, ax = plt.subplots()\nax.plot([1, 5])\nplt.close(fig)",
        "ax.lines[0].get_ydata().tolist(), fig",
    ),
    "svg": Case(
        "%%cached a\nplt.plot([1, 2])",
        before=f"{PLOT}%config InlineBackend.figure_formats = ['png', 'retina']",
    ),
    "style": Case(
        f"%%cached a\n{PLOT}with plt.style.context('ggplot'):\n    plt.plot([1, 2])"
    ),
    "savefig to a buffer": Case(
        f"%%cached a\n{PLOT}import io\nbuffer = io.BytesIO()\nplt.plot([1, 2])\nplt.savefig(buffer)\nplt.close()\nn = len(buffer.getvalue())",
        "n > 1000",
    ),
    # --- progress
    "tqdm": Case(f"%%cached a\n{TQDM}y = [i for i in tqdm(range(4))]", "y"),
    "tqdm in a notebook": Case(
        f"%%cached a\n{TQDM}y = [i for i in bar(range(4))]", "y"
    ),
    "tqdm auto": Case(
        "%%cached a\nfrom tqdm.auto import tqdm, trange\ny = [i for i in trange(4)]",
        "y",
    ),
    "tqdm of pandas": Case(
        "%%cached a\nimport pandas as pd\nfrom tqdm import tqdm\ntqdm.pandas()\ny = pd.Series([1, 2]).progress_apply(lambda x: x + 1)",
        "y",
    ),
    # --- displays
    "display": Case(
        "%%cached a\nfrom IPython.display import display, HTML\ndisplay(HTML('<i>1</i>'), 2)\nHTML('<b>x</b>')"
    ),
    "display handle": Case(
        "%%cached a\nh = display(1, display_id=True)\nh.update(2)", "h.update(3)"
    ),
    "display id of the user's": Case(
        "%%cached a\nh = display(1, display_id='mine')\nfrom IPython.display import update_display\nupdate_display(2, display_id='mine')",
        "h.update(3)",
    ),
    "clear_output": Case(
        "%%cached a\nfrom IPython.display import clear_output\nprint(1)\nclear_output()\nprint(2)"
    ),
    "audio, image and others": Case(
        "%%cached a\nfrom IPython.display import JSON, Markdown, Math\ndisplay(Markdown('*a*'), Math('x'))\nJSON({'a': 1})"
    ),
    "a frame": Case(
        "%%cached a\nimport pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})\ndf.style.format('{:.1f}')",
        "df",
        same=False,
    ),
    # --- logging, warnings, threads, processes
    "logging": Case(
        "%%cached a\nimport logging\nlogging.getLogger('kinds').warning('careful')\nlog = logging.getLogger('kinds')",
        "log",
    ),
    "logging that is set up": Case(
        "%%cached a\nimport logging\nlogging.basicConfig(level=20, force=True)\nlogging.info('hi')\ny = 1",
        "logging.getLogger().level",
        same=False,
    ),
    "warning": Case(
        "%%cached a\nimport warnings\nwarnings.warn('careful')\ny = 1", "y"
    ),
    "threads": Case(
        "%%cached a\nimport threading\ndef work(): print('in a thread')\nt = threading.Thread(target=work); t.start(); t.join()\ndel t"
    ),
    "thread pool": Case(
        "%%cached a\nfrom concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(2) as pool:\n    y = list(pool.map(abs, [-1, 2]))\ndel pool",
        "y",
    ),
    "process pool": Case(
        "%%cached a\nimport multiprocessing\nwith multiprocessing.get_context('fork').Pool(2) as pool:\n    y = pool.map(abs, [-1, 2])\ndel pool",
        "y",
    ),
    "child process": Case(
        "%%cached a\nimport subprocess, sys\ny = subprocess.run([sys.executable, '-c', 'print(5)'], capture_output=True, text=True).stdout",
        "y",
    ),
    "child process that writes": Case(
        "%%cached a\nimport os\nos.system('echo from a child')"
    ),
    "random": Case(
        "%%cached a\nimport random\ny = random.random()",
        "y",
        "import random\nrandom.seed(3)",
    ),
    # --- the rest
    "await": Case(
        "%%cached a\nimport asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 7\ny = await f()\ny",
        "y",
    ),
    "async for": Case(
        "%%cached a\nasync def g():\n    yield 1\ny = [i async for i in g()]", "y"
    ),
    "nested cached function": Case(
        "%%cached a\nfrom nbcache import cached\n@cached\ndef f(x): return x + 1\ny = f(1)",
        "y, f(1)",
    ),
    "last value": Case("%%cached a\n1 + 1", "_ + 1"),
    "quiet": Case("%%cached a\ny = 1\ny;", "y"),
    "question mark": Case("%%cached a\nlen?\ny = 1", "y", refused="%pinfo", same=False),
    "output history": Case("%%cached a\ny = _ + 1", "y", "41"),
    "output history by number": Case("%%cached a\ny = Out[len(In) - 2]", "y", "41"),
    "underscore assigned": Case("%%cached a\n_, y = 1, 2", "y"),
    "underscore as a loop variable": Case(
        "%%cached a\ny = 0\nfor _ in range(3):\n    y += 1", "y"
    ),
    "gettext": Case("%%cached a\ny = _('word')", "y", "_ = str.upper"),
    "only imports": Case("%%cached a\nimport math, json as j", "j.dumps(math.pi)"),
    "comments only": Case("%%cached a\n# nothing"),
    "form feed and unicode": Case("%%cached a\né = 'ü\\u2028'\nprint(é)", "é"),
    "prun with an option's word": Case(
        "%%cached a\n%prun -q -s cumulative y = f(3)", "y", "def f(x): return x + 1"
    ),
    "timeit binds nothing": Case(
        "%%cached a\nt = %timeit -n 1 -r 1 -q -o y = 3\nz = y", "y, z", "y = 1"
    ),
    "a name in a format": Case("%%cached a\n!echo {x:.2f} {x!r}", before="x = 1.234"),
    "time in a branch": Case(
        "%%cached a\nif False:\n    %time y = 2\nz = y", "z", "y = 1"
    ),
    "magics inside time": Case(
        "%%cached a\n%%time\n%who\ny = 1", refused="%who", same=False
    ),
    "error inside capture": Case(
        "%%cached a\n%%capture\n1 / 0", refused="error", same=False
    ),
    "last display kept": Case("%%cached a\nfor _ in range(3):\n    pass", "_"),
}


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    return Kinds(tmp_path_factory.mktemp("kinds"), CASES)
