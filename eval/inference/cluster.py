"""``--engine ray``: a backend whose model is loaded on the machines of a Ray cluster, a copy for each GPU, else for each machine.

It stands in for the backend's own module. One copy makes the batches of all prompts, as on one machine; then each batch goes to
a copy that is free, and answers come back as they are ready. So a batch has the same prompts wherever it is answered, and what is
written does not depend on the number of machines. Those are of one kind: the same device, number type and packages everywhere.

A copy that dies with its machine is loaded again by Ray where there is room; until then the others go on without it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from converters.core import cluster
from converters.core.cluster import LOST, Home
from converters.core.errors import InputError, first_line
from eval.inference import backends
from eval.inference.backends.base import Answer, Backend, Plan, Prompt

CODE = ("converters", "eval")  # what has to be the same on every machine
Call = tuple[str, tuple[Any, ...]]  # a function of a backend, with its arguments after model and plan


@contextmanager
def on(engine: str | None, address: str | None, backend: str) -> Iterator[Callable[[str], Backend]]:
    """Yield what finds a backend by its name: on this machine, or on a cluster that is joined until then."""
    if engine is None:
        if address:
            raise InputError("--address needs --engine ray")
        yield backends.get
        return
    if backend == "openai":
        raise InputError("--engine ray loads copies of a model; an endpoint has its own: leave --engine out")
    with cluster.joined(address) as ray:
        yield partial(Remote, ray)


class Copy:
    """A loaded model in a process on some machine."""

    def load(self, home: Home, backend: str, checkpoint: str, plan: Plan) -> dict[str, Any]:
        """Load the model and say what its answers depend on; it is no constructor, since Ray drops what those raise."""
        cluster.settle(home, *CODE)
        self.module = backends.get(backend)
        self.plan, self.model = plan, self.module.load(checkpoint, plan)
        return self.module.describe(self.model, plan)

    def call(self, name: str, *arguments: Any) -> Any:
        """Return what a function of the backend returns, all of it."""
        found = getattr(self.module, name)(self.model, self.plan, *arguments)
        return list(found) if isinstance(found, Iterator) else found


@dataclass(slots=True)
class Copies:
    """All copies of a model: those that are free, those that are loading, by what tells that they are done, and how they load.

    ``origin`` is what the answers depend on, by the first copy that was loaded.
    """

    ray: Any
    loads: tuple[Any, ...]
    loading: dict[Any, Any] = field(default_factory=dict)
    free: list[Any] = field(default_factory=list)
    origin: dict[str, Any] = field(default_factory=dict)

    def load(self, actor: Any) -> None:
        """Let a copy load; Ray tries again on other machines for as long as there is one."""
        self.loading[actor.load.options(max_task_retries=-1).remote(*self.loads)] = actor

    def wait(self, running: Iterable[Any]) -> Any:
        """Return one of the ``running`` calls that has ended, or nothing where a copy has been loaded first."""
        [done], _ = self.ray.wait([*running, *self.loading])
        if done not in self.loading:
            return done
        origin = self.ray.get(done)
        self.origin = self.origin or origin
        if origin != self.origin:
            raise InputError(f"--engine ray: the machines differ: {_difference(self.origin, origin)}")
        self.free.append(self.loading.pop(done))
        return None

    def calls(self, calls: Iterable[Call]) -> Iterator[Any]:
        """Yield what calls return as it is ready; what was lost with a machine is called again."""
        known, todo, running = self.ray.exceptions, deque((call, 1) for call in calls), dict[Any, Any]()
        while todo or running:
            while todo and self.free:
                actor, (call, tries) = self.free.pop(), todo.popleft()
                running[actor.call.remote(call[0], *call[1])] = actor, call, tries
            if (done := self.wait(running)) is None:
                continue
            actor, call, tries = running.pop(done)
            try:
                found = self.ray.get(done)
            except (known.RayActorError, known.ObjectLostError, known.WorkerCrashedError) as error:
                if tries == LOST:
                    raise InputError(f"--engine ray: a batch was lost {LOST} times: {first_line(error)}") from error
                todo.appendleft((call, tries + 1))
                self.load(actor)
                continue
            self.free.append(actor)
            yield found


def _difference(one: dict[str, Any], other: dict[str, Any]) -> str:
    return "; ".join(f"{name}: {one.get(name)} and {value}" for name, value in other.items() if one.get(name) != value)


@dataclass(frozen=True, slots=True)
class Remote:
    """A backend on a cluster, with the functions of the backend's module; its models are :class:`Copies`."""

    ray: Any
    name: str

    def load(self, checkpoint: str, plan: Plan) -> Copies:
        """Load a checkpoint on all machines, and wait for the first."""
        copies = Copies(self.ray, (cluster.here(*CODE), self.name, checkpoint, plan))
        count, each = cluster.places(self.ray)
        for _ in range(count):
            copies.load(self.ray.remote(Copy).options(max_restarts=-1, scheduling_strategy="SPREAD", **each).remote())
        copies.wait(())
        return copies

    def describe(self, model: Copies, plan: Plan) -> dict[str, Any]:
        """Return what the answers depend on beside the plan, the same on every machine."""
        return model.origin

    def ranked_by(self, model: Copies, plan: Plan) -> str:
        """Return how further candidates are found and ranked, for the record."""
        return str(*model.calls([("ranked_by", ())]))

    def confidence_by(self, model: Copies, plan: Plan) -> str:
        """Return which probabilities of its tokens it tells, for the record."""
        return str(*model.calls([("confidence_by", ())]))

    def batches(self, model: Copies, plan: Plan, prompts: Sequence[Prompt]) -> list[list[Prompt]]:
        """Return all prompts, with their ids, in the batches of one machine."""
        [batches] = model.calls([("batches", (prompts,))])
        return list(batches)

    def answers(self, model: Copies, plan: Plan, batches: Sequence[Sequence[Prompt]]) -> Iterator[list[Answer]]:
        """Yield the answers of each batch as it is ready."""
        for [answers] in model.calls(("answers", ([batch],)) for batch in batches):
            yield answers
