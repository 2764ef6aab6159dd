"""Cells of every kind: a run, a stored run and a hit show and leave the same."""

import pytest
from kinds import Case, Kinds, verify

CASES = {
    "time above": Case(
        "%%time\n%%cached a\ny = sum(range(10))\ny",
        after="y, _",
        same=False,
    ),
    "time below": Case(
        "%%cached a\n%%time\ny = sum(range(10))\ny",
        after="y",
    ),
    "capture above": Case(
        "%%capture out\n%%cached a\nprint('hi')\ny = 3\ny",
        after="y, out.stdout",
    ),
    "capture below": Case(
        "%%cached a\n%%capture out\nprint('hi')\ny = 3\ny",
        after="y, out.stdout",
    ),
    "capture below without a name": Case(
        "%%cached a\n%%capture\nprint('hi')\ny = 3",
        after="y",
    ),
    "prun below": Case(
        "%%cached a\n%%prun -q -r\ny = sum(range(10))",
        after="y",
        same=False,
    ),
    "prun above": Case(
        "%%prun -q -r\n%%cached a\ny = sum(range(10))",
        after="y",
    ),
    "timeit below": Case(
        "%%cached a\n%%timeit -n 1 -r 1\nsum(range(10))",
    ),
    "bash below": Case(
        "%%cached a\n%%bash\necho $((1 + 2))",
    ),
    "bash below, with captured output": Case(
        "%%cached a\n%%bash --out text\necho $((1 + 2))",
        after="text",
    ),
    "sh below": Case(
        "%%cached a\n%%sh\necho hi; echo no >&2",
    ),
    "html below": Case(
        "%%cached a\n%%html\n<b>1</b>",
    ),
    "latex, markdown and svg below": Case(
        "%%cached a\n%%markdown\n*a*",
    ),
    "javascript below": Case(
        "%%cached a\n%%javascript\n1",
    ),
    "writefile below": Case(
        "%%cached a\n%%writefile made.txt\ntext",
        after="open('made.txt').read()",
    ),
    "a magic nobody knows below": Case(
        "%%cached a\n%%perl\n1",
        refused="perl",
        same=False,
    ),
    "nested magics": Case(
        "%%cached a\n%%time\n%%capture out\nprint(1)\ny = 2",
        after="y, out.stdout",
    ),
    "time of an expression": Case(
        "%%cached a\n%time y = sum(range(10))",
        after="y",
    ),
    "time with a value": Case(
        "%%cached a\n%time sum(range(10))",
    ),
    "time of an input": Case(
        "%%cached a\n%time y = f(3)",
        after="y",
        before="def f(x): return x + 1",
    ),
    "timeit": Case(
        "%%cached a\nt = %timeit -n 1 -r 1 -o -q sum(range(10))\ny = t.loops",
        after="y",
    ),
    "timeit that prints": Case(
        "%%cached a\n%timeit -n 1 -r 1 sum(range(10))",
    ),
    "prun": Case(
        "%%cached a\n%prun -q y = sum(range(10))",
        after="y",
    ),
    "matplotlib": Case(
        "%%cached a\n%matplotlib inline\ny = 1",
        after="y",
    ),
    "config": Case(
        "%%cached a\n%config InlineBackend.close_figures = True\ny = 1",
        after=(
            "x = %config InlineBackend.figure_formats\n"
            "print(get_ipython().config.InlineBackend, y)"
        ),
    ),
    "load_ext and autoreload": Case(
        "%%cached a\n%load_ext autoreload\n%autoreload 2\ny = 1",
        after="y",
    ),
    "who": Case(
        "%%cached a\n%who\ny = 1",
        after="y",
        refused="%who",
        same=False,
    ),
    "env": Case(
        "%%cached a\n%env NBX=1\ny = 1",
        after="y, __import__('os').environ['NBX']",
    ),
    "cd": Case(
        "%%cached a\n%cd -q .\ny = 1",
        refused="%cd",
        same=False,
    ),
    "pwd": Case(
        "%%cached a\ny = %pwd",
        refused="%pwd",
        same=False,
    ),
    "shell": Case(
        "%%cached a\n!echo hi; echo no >&2\ny = 1",
        after="y",
    ),
    "shell with captured output": Case(
        "%%cached a\nfiles = !echo one; echo two\nfiles",
        after="files, type(files), files.s, files.grep('one')",
    ),
    "shell with captured output, twice": Case(
        "%%cached a\n!!echo one",
        after="_",
    ),
    "shell with a name": Case(
        "%%cached a\n!echo {n} $n\n",
        before="n = 3",
    ),
    "exit code": Case(
        "%%cached a\n!exit 3\n",
        after="_exit_code",
    ),
    "run": Case(
        "%%cached a\n%run script.py\nz = made + 1",
        after="made, z, helper(1)",
        files={
            "script.py": (
                "import scriptmod\nmade = scriptmod.K\n"
                "def helper(x): return x + made\nprint('ran')\n"
            ),
            "scriptmod.py": "K = 41\n",
        },
    ),
    "run with arguments": Case(
        "%%cached a\n%run script2.py one two",
        after="made",
        files={
            "script2.py": "import sys\nmade = sys.argv[1:]\n",
        },
    ),
    "run in the namespace": Case(
        "%%cached a\n%run -i script3.py",
        after="made",
        before="base = 4",
        files={
            "script3.py": "made = base + 1\n",
        },
    ),
    "run of a file that fails": Case(
        "%%cached a\n%run bad.py\n",
        refused="error",
        files={
            "bad.py": "1 / 0\n",
        },
        same=False,
    ),
    "run of a file with a class": Case(
        "%%cached a\n%run kind.py\nz = K().f()",
        after="z, K().f()",
        files={
            "kind.py": "class K:\n    def f(self): return 3\n",
        },
    ),
    "run twice": Case(
        "%%cached a\n%run one.py\n%run two.py",
        after="one, two, f(2)",
        files={
            "one.py": "one = 1\ndef f(x): return x + one\n",
            "two.py": "two = 2\none = 5\n",
        },
    ),
    "run whose functions are used": Case(
        "%%cached a\ny = f(2)",
        after="y",
        before="%run used.py",
        files={
            "used.py": "one = 1\ndef f(x): return x + one\n",
        },
    ),
    "first plot": Case(
        "%%cached a\nimport matplotlib.pyplot as plt\nplt.plot([1, 2, 4]);",
    ),
    "plot as a value": Case(
        "%%cached a\nimport matplotlib.pyplot as plt\nplt.plot([1, 2, 4])",
    ),
    "figure as a value": Case(
        (
            "%%cached a\nimport matplotlib.pyplot as plt\n"
            "fig, ax = plt.subplots()\nax.plot([1])\nfig"
        ),
        after="type(fig).__name__, len(fig.axes), ax is fig.axes[0]",
    ),
    "several figures": Case(
        (
            "%%cached a\nimport matplotlib.pyplot as plt\nfor i in range(3):\n"
            "    plt.figure(); plt.plot([i, 1])"
        ),
    ),
    "show": Case(
        (
            "%%cached a\nimport matplotlib.pyplot as plt\nplt.plot([3, 1])\n"
            "plt.show()\nprint('between')\nplt.plot([1, 3])\nplt.show()"
        ),
    ),
    "figure bound": Case(
        (
            "%%cached a\nimport matplotlib.pyplot as plt\n"
            "fig, ax = plt.subplots()\nax.plot([1, 5])\nplt.close(fig)"
        ),
        after="ax.lines[0].get_ydata().tolist(), fig",
    ),
    "svg": Case(
        "%%cached a\nplt.plot([1, 2])",
        before=(
            "import matplotlib.pyplot as plt\n"
            "%config InlineBackend.figure_formats = ['png', 'retina']"
        ),
    ),
    "style": Case(
        (
            "%%cached a\nimport matplotlib.pyplot as plt\n"
            "with plt.style.context('ggplot'):\n    plt.plot([1, 2])"
        ),
    ),
    "savefig to a buffer": Case(
        (
            "%%cached a\nimport matplotlib.pyplot as plt\nimport io\n"
            "buffer = io.BytesIO()\nplt.plot([1, 2])\nplt.savefig(buffer)\n"
            "plt.close()\nn = len(buffer.getvalue())"
        ),
        after="n > 1000",
    ),
    "tqdm": Case(
        (
            "%%cached a\nfrom tqdm import tqdm\n"
            "from tqdm.notebook import tqdm as bar\ny = [i for i in tqdm(range(4))]"
        ),
        after="y",
    ),
    "tqdm in a notebook": Case(
        (
            "%%cached a\nfrom tqdm import tqdm\n"
            "from tqdm.notebook import tqdm as bar\ny = [i for i in bar(range(4))]"
        ),
        after="y",
        same=False,
    ),
    "tqdm auto": Case(
        "%%cached a\nfrom tqdm.auto import tqdm, trange\ny = [i for i in trange(4)]",
        after="y",
        same=False,
    ),
    "tqdm of pandas": Case(
        (
            "%%cached a\nimport pandas as pd\nfrom tqdm import tqdm\n"
            "tqdm.pandas()\ny = pd.Series([1, 2]).progress_apply(lambda x: x + 1)"
        ),
        after="y",
    ),
    "display": Case(
        (
            "%%cached a\nfrom IPython.display import display, HTML\n"
            "display(HTML('<i>1</i>'), 2)\nHTML('<b>x</b>')"
        ),
    ),
    "display handle": Case(
        "%%cached a\nh = display(1, display_id=True)\nh.update(2)",
        after="h.update(3)",
    ),
    "display id of the user's": Case(
        (
            "%%cached a\nh = display(1, display_id='mine')\n"
            "from IPython.display import update_display\n"
            "update_display(2, display_id='mine')"
        ),
        after="h.update(3)",
    ),
    "clear_output": Case(
        (
            "%%cached a\nfrom IPython.display import clear_output\nprint(1)\n"
            "clear_output()\nprint(2)"
        ),
    ),
    "audio, image and others": Case(
        (
            "%%cached a\nfrom IPython.display import JSON, Markdown, Math\n"
            "display(Markdown('*a*'), Math('x'))\nJSON({'a': 1})"
        ),
    ),
    "a frame": Case(
        "%%cached a\nimport pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})\ndf",
        after="df",
    ),
    "logging": Case(
        (
            "%%cached a\nimport logging\n"
            "logging.getLogger('kinds').warning('careful')\n"
            "log = logging.getLogger('kinds')"
        ),
        after="log",
    ),
    "logging that is set up": Case(
        (
            "%%cached a\nimport logging\n"
            "logging.basicConfig(level=20, force=True)\nlogging.info('hi')\ny = 1"
        ),
        after="logging.getLogger().level",
        same=False,
        refused="settings of logging",
    ),
    "warning": Case(
        "%%cached a\nimport warnings\nwarnings.warn('careful')\ny = 1",
        after="y",
    ),
    "threads": Case(
        (
            "%%cached a\nimport threading\ndef work(): print('in a thread')\n"
            "t = threading.Thread(target=work); t.start(); t.join()\ndel t"
        ),
    ),
    "thread pool": Case(
        (
            "%%cached a\nfrom concurrent.futures import ThreadPoolExecutor\n"
            "with ThreadPoolExecutor(2) as pool:\n"
            "    y = list(pool.map(abs, [-1, 2]))\ndel pool"
        ),
        after="y",
    ),
    "process pool": Case(
        (
            "%%cached a\nimport multiprocessing\n"
            "with multiprocessing.get_context('fork').Pool(2) as pool:\n"
            "    y = pool.map(abs, [-1, 2])\ndel pool"
        ),
        after="y",
    ),
    "child process": Case(
        (
            "%%cached a\nimport subprocess, sys\n"
            "y = subprocess.run([sys.executable, '-c', 'print(5)'], "
            "capture_output=True, text=True).stdout"
        ),
        after="y",
    ),
    # without the cache, a kernel does not wait for what a child has just written
    "child process that writes": Case(
        "%%cached a\nimport os, time\nos.system('echo from a child')\ntime.sleep(2)",
    ),
    "random": Case(
        "%%cached a\nimport random\ny = random.random()",
        after="y",
        before="import random\nrandom.seed(3)",
    ),
    "await": Case(
        (
            "%%cached a\nimport asyncio\nasync def f():\n"
            "    await asyncio.sleep(0)\n    return 7\ny = await f()\ny"
        ),
        after="y",
    ),
    "async for": Case(
        "%%cached a\nasync def g():\n    yield 1\ny = [i async for i in g()]",
        after="y",
    ),
    "nested cached function": Case(
        (
            "%%cached a\nfrom nbcache import cached\n@cached\n"
            "def f(x): return x + 1\ny = f(1)"
        ),
        after="y, f(1)",
    ),
    "last value": Case(
        "%%cached a\n1 + 1",
        after="_ + 1",
    ),
    "quiet": Case(
        "%%cached a\ny = 1\ny;",
        after="y",
    ),
    "question mark": Case(
        "%%cached a\nlen?\ny = 1",
        after="y",
        refused="%pinfo",
        same=False,
    ),
    "output history": Case(
        "%%cached a\ny = _ + 1",
        after="y",
        before="41",
    ),
    "output history by number": Case(
        "%%cached a\ny = Out[len(In) - 2]",
        after="y",
        before="41",
    ),
    "underscore assigned": Case(
        "%%cached a\n_, y = 1, 2",
        after="y",
    ),
    "underscore as a loop variable": Case(
        "%%cached a\ny = 0\nfor _ in range(3):\n    y += 1",
        after="y",
    ),
    "gettext": Case(
        "%%cached a\ny = _('word')",
        after="y",
        before="_ = str.upper",
    ),
    "only imports": Case(
        "%%cached a\nimport math, json as j",
        after="j.dumps(math.pi)",
    ),
    "comments only": Case(
        "%%cached a\n# nothing",
    ),
    "form feed and unicode": Case(
        "%%cached a\né = 'ü\\u2028'\nprint(é)",
        after="é",
    ),
    "prun with an option's word": Case(
        "%%cached a\n%prun -q -s cumulative y = f(3)",
        after="y",
        before="def f(x): return x + 1",
    ),
    "timeit binds nothing": Case(
        "%%cached a\nt = %timeit -n 1 -r 1 -q -o y = 3\nz = y",
        after="y, z",
        before="y = 1",
    ),
    "a name in a format": Case(
        "%%cached a\n!echo {x:.2f} {x!r}",
        before="x = 1.234",
    ),
    "time in a branch": Case(
        "%%cached a\nif False:\n    %time y = 2\nz = y",
        after="z",
        before="y = 1",
    ),
    "magics inside time": Case(
        "%%cached a\n%%time\n%who\ny = 1",
        refused="%who",
        same=False,
    ),
    "error inside capture": Case(
        "%%cached a\n%%capture\n1 / 0",
        refused="error",
        same=False,
    ),
    "last display kept": Case(
        "%%cached a\nfor _ in range(3):\n    pass",
        after="_",
    ),
}


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """All cases, each run in a kernel without the cache, cold and warm."""
    return Kinds(tmp_path_factory.mktemp("kinds"), CASES)


@pytest.mark.parametrize("name", CASES)
def test_cell_shows_and_leaves_the_same(kinds, name):
    """Kept and taken from the cache in a new kernel, or not kept for a reason."""
    verify(kinds, name)
