"""One run of a cell: how it is computed, encoded and restored."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from nbcache import outputs, randomness, trace
from nbcache.cache import warn
from nbcache.cell.altered import DefinitionWatch, watch_definitions
from nbcache.cell.body import Body, run_nodes, user_traceback
from nbcache.cell.capture import Recording, recording
from nbcache.cell.definitions import repeated_nodes
from nbcache.cell.effects import Place, mutation
from nbcache.cell.identity import CellIdentity, identify, starred_values
from nbcache.cell.names import is_ipythons
from nbcache.cell.options import CellOptions
from nbcache.cell.replay import replay
from nbcache.errors import UnstorableValue
from nbcache.keys.classes import UserClasses
from nbcache.outcome import Computed
from nbcache.storage import codec
from nbcache.storage.described import package_versions, type_rows
from nbcache.storage.entry import Entry
from nbcache.storage.store import Content, Opened
from nbcache.trace.named import Named
from nbcache.trace.observed import Observed

__all__ = ["CellTask"]

RESULT = "<result>"
_MISSING = object()


class Standin:
    """Stands for a last value that cannot outlive its kernel: it looks the same.

    Parameters
    ----------
    text : str
        The repr of what it stands for.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


@dataclass
class Run:
    """What a run of the cell left, besides the namespace."""

    before: Mapping[str, Any]
    place: Place
    touched: trace.Trace
    random: randomness.RandomWatch
    record: Recording
    defined: DefinitionWatch

    def computed(self, seconds: float, store: str) -> Computed[None]:
        """Give the result of a run that may be kept as far as the namespace goes."""
        for library, digest in self.random.found().items():
            self.touched.note([Observed("random", library, digest)])
        settled = self.touched.settled(store)
        return Computed(
            None,
            seconds + settled.seconds,
            settled.refused,
            self.random.told() or settled.told,
            settled.found,
            settled.written,
        )


@dataclass
class CellTask:
    """Computes, encodes and restores one cell.

    Parameters
    ----------
    shell : InteractiveShell
        Where it runs.
    body : Body
        Its code.
    options : CellOptions
        What the magic was asked for.
    identity : CellIdentity
        What it is, found before it runs.
    name, notebook, raw, store : str
        The entry's name; where it stands; the cell's text; the store's folder.
    namespace : dict
        The notebook's namespace.
    """

    shell: Any
    body: Body
    options: CellOptions
    identity: CellIdentity
    name: str
    notebook: str
    raw: str
    store: str
    namespace: dict[str, Any]
    run: Run | None = None
    seconds: float = 0.0
    unobserved: str = ""
    _classes: UserClasses = field(init=False)

    def __post_init__(self) -> None:
        self.nodes, self.repeated = repeated_nodes(self.body.tree)
        others = self.identity.flow.stores - self.repeated
        self._classes = UserClasses(self.namespace, absent=others)

    # --- computing

    def compute(self) -> Computed[None]:
        """Run the cell, shown live and recorded; its errors pass."""
        __tracebackhide__ = True
        with self._observed():
            self.body.run()
        return self._computed()

    async def compute_async(self) -> Computed[None]:
        """Run a cell that awaits."""
        __tracebackhide__ = True
        with self._observed():
            await self.body.run_async()
        return self._computed()

    @contextmanager
    def _observed(self) -> Iterator[None]:
        __tracebackhide__ = True
        before = dict(self.namespace)
        with ExitStack() as stack:
            try:
                touched = stack.enter_context(trace.recording(self._named()))
                random = stack.enter_context(randomness.watching())
                record = stack.enter_context(recording(self.shell))
                defined = watch_definitions(self.body, self.nodes, self.namespace)
                self.run = Run(before, Place.now(), touched, random, record, defined)
            except Exception as error:
                # the cell runs all the same; what is not recorded is not stored
                self.unobserved = f"it could not be recorded: {error!r}"
            began = time.perf_counter()
            try:
                yield
            except BaseException as error:
                user_traceback(error, self.body.filename)
                raise
            finally:
                self.seconds = time.perf_counter() - began

    def _computed(self) -> Computed[None]:
        try:
            refused = self._refused()
        except Exception as error:
            # whatever it is, the user has the result
            refused = f"what it did could not be told: {error!r}"
        if refused or self.run is None:
            return Computed(None, self.seconds, refused)
        return self.run.computed(self.seconds, self.store)

    def _named(self) -> Named:
        """Give what the cell and the functions that it reaches name and get."""
        named = Named()
        named.add_tree(self.body.tree)
        for function in self.identity.functions:
            named.add_code(function.__code__)
        named.add_values(self.identity.inputs.values())
        named.add_values(self.identity.values.values())
        return named

    def _refused(self) -> str:
        """Say why what the run left may not be kept; '' if it may."""
        run = self.run
        if run is None or self.identity.refused:
            return self.identity.refused or self.unobserved
        if run.record.error_shown:
            return "it showed an error"
        return self._mutated(run) or run.defined.altered()

    def _mutated(self, run: Run) -> str:
        """Say what the run changed that a hit would not; '' for nothing."""
        try:
            after = identify(self.shell, self.body, self.options, run.before).key
        except Exception as error:
            return f"after the run, it has no key: {error}"
        return run.place.left(self.body.tree) or mutation(
            self.identity.key, after, run.before, self.namespace
        )

    # --- storing

    def encode(self, computed: Computed[None]) -> tuple[Entry, Content]:
        """Give the entry of a run.

        Raises
        ------
        UnstorableValue
            A name it binds cannot be kept; the text says which and how to leave it out.
        """
        run = self.run
        assert run is not None
        values = self._bound(run)
        shown = run.record.outputs()
        state: dict[str, Any] = {
            "deleted": self._deleted(run),
            **run.random.to_json(),
            "names": list(values),
        }
        encoded = self._encoded(values, run, state)
        entry = Entry(
            key=self.identity.key.digest,
            kind="cell",
            name=self.name,
            notebook=self.notebook,
            parts=[list(row) for row in self.identity.key.to_json()],
            variables=type_rows(values),
            pickled=list(encoded.pickled),
            seconds=computed.seconds,
            created=time.time(),
            packages=package_versions(),
            options=self.options.to_json(),
            source=self.raw,
            state=state,
        )
        return entry, Content(
            encoded.tree, dict(encoded.members), outputs.to_json(shown)
        )

    def _bound(self, run: Run) -> dict[str, Any]:
        """Give the names to store: those the cell binds, or that now are others."""
        stores = self.identity.flow.stores | self.identity.flow.late
        starred = starred_values(self.body.tree)
        found = {
            name: value
            for name, value in self.namespace.items()
            if (name in stores or not is_ipythons(name))
            and name not in self.repeated
            and (name not in starred or starred[name] is not value)
            and (name in stores or run.before.get(name, _MISSING) is not value)
        }
        if self.options.only:
            found = {name: found[name] for name in self.options.only if name in found}
        return {
            name: value
            for name, value in found.items()
            if name not in self.options.skip
        }

    def _deleted(self, run: Run) -> list[str]:
        return [
            name
            for name in run.before
            if name not in self.namespace and not is_ipythons(name)
        ]

    def _encoded(
        self, values: dict[str, Any], run: Run, state: dict[str, Any]
    ) -> codec.Encoded:
        """Encode values, random states and the last value; the last one if possible."""
        whole = dict(values)
        if run.random.after:
            whole[randomness.RANDOM] = run.random.after
        has_value = run.record.result or run.record.value is not None
        if has_value and not _is_figure(run.record.value):
            try:
                encoded = self._encode({**whole, RESULT: run.record.value}, run)
            except UnstorableValue:
                pass
            else:
                state["result"] = "value"
                return encoded
        if has_value:
            state["result"] = "standin"
            state["text"] = repr(run.record.value)
        try:
            return self._encode(whole, run)
        except UnstorableValue as error:
            raise self._all_unstorable(values, run, error) from error

    def _encode(self, values: dict[str, Any], run: Run) -> codec.Encoded:
        live = {
            name: value
            for name, value in self.identity.inputs.items()
            if run.before.get(name, _MISSING) is value
        }
        return codec.encode(
            values,
            live={**self._reached(), **live},
            classes=self._classes,
            namespace=self.namespace,
        )

    def _reached(self) -> dict[str, Any]:
        """Give what values may refer to besides inputs: what a hit has before them."""
        defined = {
            f"definition {name}": self.namespace[name]
            for name in sorted(self.repeated)
            if isinstance(self.namespace.get(name), FunctionType)
        }
        return {**self.identity.values, **defined}

    def _all_unstorable(
        self, values: dict[str, Any], run: Run, first: UnstorableValue
    ) -> UnstorableValue:
        """Name every value that cannot be kept, with the flags that leave them out."""
        bad: dict[str, UnstorableValue] = {}
        for name, value in values.items():
            try:
                self._encode({name: value}, run)
            except UnstorableValue as error:
                bad[name] = error
        if not bad:
            return first
        told = "; ".join(
            f"{error.path!r} ({error.type_name})" for error in bad.values()
        )
        skips = " ".join(f"--skip {name}" for name in bad)
        kept = ",".join(name for name in values if name not in bad)
        choice = f", or choose: %%cached {self.name} -o {kept}" if kept else ""
        reason = f"{told}. Keep the rest: %%cached {self.name} {skips}{choice}"
        whole = UnstorableValue(first.path, first.type_name)
        whole.args = (f"cannot store {reason}",)
        return whole

    # --- restoring

    def restore(self, opened: Opened) -> None:
        """Leave what the run left: names, deletions, random state, outputs, result.

        Raises
        ------
        NbcacheError, LookupError
            It cannot be used here; the namespace is as it was.
        """
        shown = outputs.from_json(opened.outputs or [])
        before = {
            name: self.namespace.get(name, _MISSING) for name in sorted(self.repeated)
        }
        try:
            values = self._decoded(opened)
        except BaseException:
            self._roll_back(before)
            raise
        state = opened.entry.state
        random = values.pop(randomness.RANDOM, {})
        result = values.pop(RESULT, None)
        self.namespace.update(values)
        for name in state.get("deleted", []):
            self.namespace.pop(name, None)
        randomness.restore(random, state.get("seeded", []))
        self._show(shown, state, result)

    def _decoded(self, opened: Opened) -> dict[str, Any]:
        """Execute imports and definitions, then decode all values against them."""
        try:
            run_nodes(self.shell, self.nodes, self.body.filename, self.namespace)
        except Exception as error:
            raise LookupError(f"its definitions failed: {error!r}") from error
        return codec.decode(
            opened.tree,
            lambda name: opened.archive.read(name, "copy"),
            live={**self._reached(), **self.identity.inputs},
            classes=self._classes,
            namespace=self.namespace,
            allow_pickle=True,
        )

    def _roll_back(self, before: Mapping[str, Any]) -> None:
        for name, value in before.items():
            if value is _MISSING:
                self.namespace.pop(name, None)
            else:
                self.namespace[name] = value

    def _show(self, shown: Any, state: Mapping[str, Any], result: Any) -> None:
        """Replay outputs; the state is restored by now, so nothing may raise here."""
        kind = state.get("result")
        if kind == "standin":
            result = Standin(str(state.get("text", "")))
        try:
            if self.options.output:
                replay(self.shell, shown, value=result, has_value=kind is not None)
        except Exception as error:
            warn(f"outputs of {self.name!r} could not be shown again: {error!r}")


def _is_figure(value: Any) -> bool:
    """Say whether a last value is a figure or part of one: shown, but not kept."""
    first = value[0] if isinstance(value, list | tuple) and value else value
    return type(first).__module__.partition(".")[0] == "matplotlib"
