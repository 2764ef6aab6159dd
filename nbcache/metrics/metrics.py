"""The public `Metrics`: a collection of named functions whose values are kept."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from nbcache import trace
from nbcache.errors import NotCached, UnknownName
from nbcache.metrics import live
from nbcache.metrics.collection import Collection
from nbcache.metrics.fetching import ask, day, fetch
from nbcache.metrics.held import Held
from nbcache.metrics.metric import Metric
from nbcache.metrics.names import Given
from nbcache.metrics.task import digest_of
from nbcache.metrics.telling import quietly, tell

if TYPE_CHECKING:
    from nbcache.metrics.graph import Graph

__all__ = ["Metrics"]


class Metrics(Collection):
    """Named functions whose values are kept, and that know what they depend on.

    Parameters
    ----------
    where : Cache or storage, optional
        Where values are kept: a `Cache`, or plain files by name, for instance
        ``NpzStorage("metrics")``.  None: the default cache.
    name : str
        Tells collections in one cache apart.
    dynamic : bool
        Whether metrics may be asked for with any parameters, not only declared ones.
    track : "auto", "source" or "none"
        What of the code decides whether a stored value is used: as of `cached`.
        ``"none"``: the name and the parameters only.

    Notes
    -----
    What a metric asks of others while it is computed is recorded.  Before a stored
    value is used, these are brought up to date; if one of them has another value than
    it had, the metric is computed again.
    """

    # --- values

    def get(self, name: str, *, use_stored: bool = True, verbose: bool = True) -> Any:
        """Give the value of a metric: the stored one, else a computed one.

        Parameters
        ----------
        name : str
            Of a metric, with its parameters: ``"f"``, ``"f(1, b=2)"``; ``"f_1_2"``
            where only one metric can be meant.
        use_stored : bool
            Off: compute it, and replace what is stored.
        verbose : bool
            Say what is computed and loaded.

        Raises
        ------
        UnknownName
            There is no such metric; the text has a near match.
        UndeclaredParameters
            The metric was not declared with these parameters.
        MetricCycle
            It depends on itself.
        Exception
            What the metric raises.
        """
        metric, given = self._found(name)
        return self._get(metric, given, use_stored=use_stored, verbose=verbose)

    def __getitem__(self, name: str) -> Any:
        return self.get(name)

    def _get(
        self, metric: Metric, given: Given, *, use_stored: bool, verbose: bool
    ) -> Any:
        said = self._called(metric, given)
        with quietly(not verbose):
            held = self._held.pop(said, None)
            if held is not None and use_stored and (kept := held.keep()):
                self._seen[said] = kept.created
            answer = ask(
                metric, said, lambda: fetch(metric, given, said, not use_stored)
            )
        return answer.value

    def _called(self, metric: Metric, given: Given) -> str:
        """Give the name of a call that may be made, and remember the call.

        Raises
        ------
        UndeclaredParameters, TypeError
            It may not.
        """
        try:
            said = metric._said(given)
        except TypeError:
            live.untold(self.title, metric.base_name)
            raise
        metric._require_declared(said)
        self._remember(metric, given, said)
        return said

    def compute(self, name: str, *, force: bool = False, verbose: bool = True) -> Any:
        """Give a value that is kept in memory; nothing is stored.

        Parameters
        ----------
        name : str
            As of `get`.
        force : bool
            Compute also what is in memory, and up to date, already.
        verbose : bool
            Say what is computed.

        Raises
        ------
        Exception
            As of `get`.
        """
        metric, given = self._found(name)
        said = self._called(metric, given)
        if not force and said in self._seen:
            return self._get(metric, given, use_stored=True, verbose=verbose)
        held = self._held.get(said)
        with quietly(not verbose):
            if held is None or force or not held.is_current():
                held = Held.computed_now(metric, given, said)
                self._held[said] = held
            return ask(metric, said, held.answer).value

    def save(self, name: str, *, force: bool = False, verbose: bool = True) -> Any:
        """Store a value unless it is stored, and up to date, already; give it.

        Parameters
        ----------
        name : str
            As of `get`.
        force : bool
            Compute and store it in any case.
        verbose : bool
            Say what is computed and loaded.

        Raises
        ------
        Exception
            As of `get`.
        """
        return self.get(name, use_stored=not force, verbose=verbose)

    def load(self, name: str, *, force: bool = False, verbose: bool = True) -> Any:
        """Give the stored value; nothing is computed, no function is needed.

        Parameters
        ----------
        name : str
            As of `get`.
        force : bool
            Load what is stored also if memory has a value.
        verbose : bool
            Say when it was stored.

        Raises
        ------
        NotCached
            Nothing is stored.
        UnknownName
            There is no such metric, collected or stored.
        """
        with quietly(not verbose):
            said = self._said(name)
            held = self._held.get(said)
            if held is not None and not force:
                answer = held.answer()
                live.depend(self.title, said, answer.digest)
                return answer.value
            try:
                value, entry = self._kept.load(said)
            except NotCached:
                live.untold(self.title, said)
                raise
            live.depend(self.title, said, digest_of(entry))
            if force or self._seen.get(said) != entry.created:
                tell(f"Load {said} of {day(entry)}")
            self._seen[said] = entry.created
            return value

    # --- what is stored

    def exists(self, name: str) -> bool:
        """Say whether a value is stored, up to date or not."""
        live.untold(self.title, name)
        try:
            return self._kept.entry(self._said(name)) is not None
        except UnknownName:
            return False

    def date(self, name: str) -> datetime:
        """Give when the value that would be used, else the newest, was stored.

        Raises
        ------
        NotCached
            Nothing is stored.
        UnknownName
            There is no such metric, collected or stored.
        """
        live.untold(self.title, name)
        said = self._said(name)
        entry = self._kept.entry(said)
        if entry is None:
            raise NotCached(f"{said} is not stored: get computes and stores it")
        return datetime.fromtimestamp(entry.created)

    def clear_cache(self) -> None:
        """Forget what is in memory; what is stored stays."""
        self._held.clear()
        self._seen.clear()

    def clear(self, name: str) -> int:
        """Delete what is stored of a metric; give how many values that were.

        Parameters
        ----------
        name : str
            With parameters: that value; a metric with parameters by its name alone: all
            of its values.

        Raises
        ------
        UnknownName
            There is no such metric, collected or stored.
        OSError
            It cannot be deleted.
        """
        trace.refuse(f"it deletes the metric {name}, which a hit would not")
        if name in self._metrics and not self._is_single(name):
            wanted = self._kept.of_base(name)
        else:
            wanted = [self._said(name)]
        for said in wanted:
            self._held.pop(said, None)
            self._seen.pop(said, None)
        return sum(map(self._kept.delete, wanted))

    def _is_single(self, base: str) -> bool:
        return base in self._metrics[base]._declared

    def rename(
        self, old: str, new: str, *, parameters: Any = None, dry_run: bool = True
    ) -> list[tuple[str, str]]:
        """Give stored values of a metric the name of another.

        Parameters
        ----------
        old, new : str
            Names of metrics without parameters.
        parameters : mapping or iterable of pairs, optional
            Old parameters and the new ones in their places, as in a ``params_list``:
            only these values are renamed.  None: all, with the parameters they have.
        dry_run : bool
            Say it only.

        Returns
        -------
        list of (str, str)
            Names before and after.

        Raises
        ------
        ValueError
            A value is stored under the new name already; nothing is renamed then.
        UnknownName
            Nothing of the old name is stored.

        Notes
        -----
        The name of a function is no part of its code: what is renamed stays valid for
        the same code under its new name.
        """
        from nbcache.metrics.renaming import rename

        trace.refuse(f"it renames the metric {old}, which a hit would not")

        return rename(self, old, new, parameters, dry_run)

    # --- dependencies

    def graph(self) -> Graph:
        """Give which metrics depend on which, as their last runs were recorded."""
        from nbcache.metrics.graph import graph_of

        trace.refuse("it asks which metrics depend on which")

        return graph_of(self)

    def recompute(
        self, name: str, downstream: bool = True, *, verbose: bool = True
    ) -> Any:
        """Compute a metric again and store it; give its value.

        Parameters
        ----------
        name : str
            As of `get`.
        downstream : bool
            Whether what depends on it is brought up to date at once; else that is done
            when it is asked for.
        verbose : bool
            Say what is computed and loaded.

        Raises
        ------
        Exception
            As of `get`.
        """
        value = self.get(name, use_stored=False, verbose=verbose)
        if downstream:
            for said in self.graph().downstream(self._said(name)):
                try:
                    metric, given = self._found(said)
                    metric._require_declared(said)
                except ValueError:
                    continue  # stored by code that is no longer here
                self._get(metric, given, use_stored=True, verbose=verbose)
        return value
