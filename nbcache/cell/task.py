"""One run of a cell: how it is computed, encoded and restored."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from nbcache import outputs, randomness, surroundings, trace
from nbcache.cache import warn
from nbcache.cell import definitions, figures
from nbcache.cell.altered import DefinitionWatch
from nbcache.cell.body import Body, run_nodes, user_traceback
from nbcache.cell.capture import recording
from nbcache.cell.effects import mutation
from nbcache.cell.harmless import require_own_names, shown_of
from nbcache.cell.identity import CellIdentity, identify, starred_values
from nbcache.cell.line_names import line_names, renamed
from nbcache.cell.logs import LogSettings
from nbcache.cell.mutation import change_and_bind, watch
from nbcache.cell.names import new_values
from nbcache.cell.options import CellOptions
from nbcache.cell.own_dicts import own_dict
from nbcache.cell.replay import Standin, replay
from nbcache.cell.run import Run
from nbcache.cell.unstorable import all_unstorable, storable
from nbcache.cell.unsure import Unsure
from nbcache.cell.watched import watched_statements
from nbcache.errors import UnstorableValue
from nbcache.keys.classes import UserClasses
from nbcache.keys.dependencies import reached
from nbcache.keys.frozen import frozen_told
from nbcache.outcome import Computed
from nbcache.storage import codec
from nbcache.storage.described import package_versions, type_rows
from nbcache.storage.entry import Entry
from nbcache.storage.inplace import CHANGED
from nbcache.storage.store import Content, Opened
from nbcache.trace.named import Named

__all__ = ["CellTask"]

RESULT = "<result>"
_MISSING = object()


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
        self.nodes, self.repeated = definitions.repeated_nodes(self.body.tree)
        self.others = [one for one in self.body.tree.body if one not in self.nodes]
        self._stores = self.identity.flow.stores | self.identity.flow.late
        others = self.identity.flow.stores - self.repeated
        self._classes = UserClasses(self.namespace, absent=others)

    @cached_property
    def _named(self) -> Named:
        # before the run: it may change what it is given
        return self.identity.named(self.body.tree)

    @cached_property
    def _unsure(self) -> Unsure:
        return Unsure(self.body.tree, self.identity, self.namespace)

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
                inputs = watch(self._live(before))
                self._classes.hold(inputs.classes())
                touched = stack.enter_context(trace.recording(self._named))
                random = stack.enter_context(randomness.watching())
                record = stack.enter_context(recording(self.shell))
                around = stack.enter_context(surroundings.watching())
                drawn = stack.enter_context(figures.watching())
                logs = LogSettings.now()
                # where nothing else is run, nothing changes what was defined
                repeated = self.nodes if self.others else []
                defined = DefinitionWatch(repeated, self.namespace)
                self.run = Run(
                    *(before, inputs, around, touched, random, record, drawn, logs),
                    *(defined, surroundings.literals(self.body.tree)),
                )
                self.body.watched = watched_statements(
                    around, random, defined, inputs, self._classes, self.nodes
                )
                stack.enter_context(self._unsure.while_among(around.threads))
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
        computed = self.run.computed(self.seconds, self.store, self.options.rng)
        if self.options.rng == "keep":
            computed.told = "; ".join(filter(None, (computed.told, self._frozen())))
        return computed

    def _frozen(self) -> str:
        return frozen_told(self.identity.functions, self.body.tree, self.namespace)

    def _refused(self) -> str:
        """Say why what the run left may not be kept; '' if it may."""
        run = self.run
        if run is None or self.identity.refused:
            return self.identity.refused or self.unobserved
        if run.record.error_shown:
            return "it showed an error"
        if not run.record.is_whole:
            return "what it wrote to file descriptors did not arrive in time"
        return (
            self._mutated(run)
            or self._unsure.refused
            or run.defined.altered()
            or run.figures.refusal()
            or run.logs.left(self._named.words)
            or run.random.refusal(self.options.rng)
            or (self.options.rng == "refuse" and self._frozen())
            or self._left(run)
        )

    def _left(self, run: Run) -> str:
        """Say what of the names that it leaves a hit could not leave."""
        bound = self._bound(run)
        # others now, though nothing in the cell binds them
        told = run.around.threads.rebound(sorted(bound.keys() - self._stores))
        return told or own_dict(bound, self.body.tree, self.identity.held)

    def _mutated(self, run: Run) -> str:
        """Take in what the run changed; say what of it a hit would not."""
        try:
            after = identify(self.shell, self.body, self.options, run.before).key
        except Exception as error:
            return f"after the run, it has no key: {error}"
        changed = mutation(self.identity.key, after, run.before, self.namespace)
        rebound = any(
            self.namespace.get(name, value) is not value
            for name, value in run.before.items()
        )
        whole = rebound and not (self.options.only or self.options.skip)
        return run.around.refusal() or run.inputs.note(
            changed, self.options.leaves_out, whole=whole
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
        shown = run.record.outputs()
        state: dict[str, Any] = {
            "deleted": self._unsure.deleted(run.before),
            **run.random.to_json(self.options.rng),
            **run.around.to_json(),
            **run.figures.to_json(),
            **run.inputs.state(),
            **line_names(shown, self.body, self.shell),
            "imports": definitions.imported_names(self.others),
        }
        values, encoded = storable(
            self._bound(run),
            lambda every: self._encoded(every, run, state),
            lambda part: self._encode(part, run),
        )
        state["names"] = list(values)
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
        return entry, Content.of(encoded, outputs.to_json(shown))

    def _bound(self, run: Run) -> dict[str, Any]:
        """Give the names to store: those the cell binds, or that now are others."""
        starred, names = starred_values(self.body.tree), self._unsure.names
        found = new_values(run.before, self.namespace, self._stores | names)
        return self.options.wanted(
            {
                name: value
                for name, value in found.items()
                if name not in self.repeated
                and name not in self._unsure.unbound
                and (name not in starred or starred[name] is not value)
            }
        )

    def _encoded(
        self, values: dict[str, Any], run: Run, state: dict[str, Any]
    ) -> codec.Encoded:
        """Encode values, random states and the last value; the last one if possible."""
        whole = dict(values)
        if run.inputs.changes:
            whole[CHANGED] = run.inputs.changes
        states = run.random.kept(self.options.rng)
        if states:
            whole[randomness.RANDOM] = states
        if run.figures.left:
            whole[figures.FIGURES] = run.figures.left
        has_value = run.record.result or run.record.value is not None
        if has_value and not figures.is_drawn(run.record.value):
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
            parts = [(name, name, value) for name, value in values.items()]
            parts += [
                (run.inputs.root(change[0].value), CHANGED, [change])
                for change in run.inputs.changes
            ]
            raise all_unstorable(
                parts, lambda part: self._encode(part, run), self.name, error
            ) from error

    def _encode(self, values: dict[str, Any], run: Run) -> codec.Encoded:
        # as it was before the run: that is how a hit finds it
        index = run.inputs.index
        index.add(
            definitions.defined_data(self.repeated, self.namespace)
            | definitions.imported_data(self.others)
        )
        return codec.encode(
            values, live=index, classes=self._classes, namespace=self.namespace
        )

    def _live(self, namespace: Mapping[str, Any]) -> dict[str, Any]:
        """Give what values may refer to before the cell runs."""
        inputs = {
            name: value
            for name, value in self.identity.inputs.items()
            if namespace.get(name, _MISSING) is value
        }
        return {**self.identity.values, **inputs}

    # --- restoring

    def restore(self, opened: Opened) -> None:
        """Leave what the run left: names, deletions, random state, outputs, result.

        Raises
        ------
        NbcacheError, LookupError
            It cannot be used here; the namespace is as it was.
        """
        drawn = figures.open_figures()
        before, state = dict(self.namespace), opened.entry.state
        shown = renamed(shown_of(opened), state, self.body, self.shell)
        try:
            values = self._decoded(opened)
            if not opened.is_mine:
                require_own_names(values, state, self.identity.flow)
            put_around = surroundings.prepared(state)
            random = values.pop(randomness.RANDOM, {})
            result = values.pop(RESULT, None)
            values.pop(figures.FIGURES, None)
            change_and_bind(
                values,
                self.namespace,
                state,
                lambda: identify(self.shell, self.body, self.options, before).key,
            )
        except BaseException:
            self._roll_back(before)
            figures.close_since(drawn)
            raise
        for failed in put_around():
            warn(f"{self.name!r} was restored but for this: {failed}")
        randomness.restore(random, state.get("seeded", []), self.options.rng)
        self._show(shown, state, result)

    def _decoded(self, opened: Opened) -> dict[str, Any]:
        """Execute imports and definitions, then decode all values against them."""
        try:
            run_nodes(self.shell, self.nodes, self.body.filename, self.namespace)
            for name in opened.entry.state.get("imports", ()):
                importlib.import_module(name)
        except Exception as error:
            raise LookupError(f"its definitions failed: {error!r}") from error
        # only now: the definitions may choose the backend
        figures.require_none_open(opened.entry.state)
        live = {**self.identity.values, **self.identity.inputs}
        live |= definitions.defined_data(self.repeated, self.namespace)
        live |= definitions.imported_data(self.body.tree.body)
        return opened.decode(
            live=live,
            classes=self._classes,
            namespace=self.namespace,
            reach=reached,
        )

    def _roll_back(self, before: Mapping[str, Any]) -> None:
        for name in self.namespace.keys() - before.keys():
            del self.namespace[name]
        for name, value in before.items():
            if self.namespace.get(name, _MISSING) is not value:
                self.namespace[name] = value

    def _show(self, shown: Any, state: Mapping[str, Any], result: Any) -> None:
        """Replay outputs; the state is restored by now, so nothing may raise here."""
        if (kind := state.get("result")) == "standin":
            result = Standin(str(state.get("text", "")))
        try:
            if self.options.output:
                replay(self.shell, shown, value=result, has_value=kind is not None)
        except Exception as error:
            warn(f"outputs of {self.name!r} could not be shown again: {error!r}")
