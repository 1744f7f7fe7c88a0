"""A schedule: steps drawn from a seed. Each contains all it needs, so that any of them can be omitted."""

from __future__ import annotations

from random import Random

import attrs

from tests.scenarios.simulator.faults import API_FAULTS, API_OUTAGES, FILE_FAULTS, FILE_OUTAGES

KINDS = {
    "accept": 7,
    "deliver": 8,
    "claim": 2,
    "maintain": 9,
    "time": 8,
    "api away": 2,
    "api back": 2,
    "files away": 1,
    "files back": 1,
    "import": 2,
    "web shop": 1,
    "merge": 0.4,
    "erase": 0.2,
    "clock": 0.5,
    "restart": 1,
    "retry held": 0.5,
    "resend": 0.3,
}
"""Kind of step → its weight when steps are drawn."""
_WAITS = (1.0, 30.0, 310.0, 901.0, 1300.0, 3601.0, 7300.0)
_ARC = (
    "accept", "deliver", "api away", "accept", "deliver", "deliver", "deliver", "time", "maintain", "time", "maintain",
    "api back", "time", "maintain", "import", "time", "maintain", "import", "time", "maintain",
)  # fmt: skip
"""A whole outage. Half the schedules follow it, or few would reach its end."""


@attrs.frozen(kw_only=True)
class Step:
    """One step. number: picks a document, a contact, a file or an outage. salt: the seed of its randomness.

    requests, transfers: the faults of its first calls. kill_at, full_at: the boundary at which it is killed, the commit
    that finds the disk full (0: none). seconds: how much time passes, or by how much the clock is set.
    """

    kind: str
    salt: int
    number: int = 0
    seconds: float = 0.0
    requests: tuple[str, ...] = ()
    transfers: tuple[str, ...] = ()
    kill_at: int = 0
    full_at: int = 0
    meanwhile: str = ""
    """The step another thread makes while the receipt of this one is on its way."""

    def __str__(self) -> str:
        fields = attrs.asdict(self, filter=lambda field, value: field.name not in ("kind", "salt") and bool(value))
        return " ".join([self.kind, *(f"{name}={value}" for name, value in fields.items())])


def schedule(seed: int) -> tuple[Step, ...]:
    """The steps of a seed: 15 to 40, the replays of one seed in two, and up to three readings of histories."""
    random = Random(f"schedule {seed}")
    calm = random.random() < 0.2
    if random.random() < 0.5:
        kinds = []
        for kind in _ARC:
            kinds += [kind, *random.choices(list(KINDS), list(KINDS.values()), k=random.choice((0, 0, 1, 2)))]
    else:
        kinds = random.choices(list(KINDS), list(KINDS.values()), k=random.randint(15, 40))
    steps = [_step(kind, random, calm) for kind in kinds[:40]]
    # Drawn separately, so that the other steps of a seed stay as they were.
    own = Random(f"replay {seed}")
    for _ in range(own.choice((0, 0, 1, 2))):
        steps.insert(own.randrange(len(steps) // 2, len(steps) + 1), _step("replay", own, calm))
    own = Random(f"verify {seed}")
    for _ in range(own.randrange(4)):
        steps.insert(own.randrange(len(steps) // 3, len(steps) + 1), _step("verify", own, calm))
    return tuple(steps)


def _step(kind: str, random: Random, calm: bool) -> Step:
    work = kind in ("accept", "deliver", "maintain", "restart", "replay", "verify")
    troubled = work and not calm
    return Step(
        kind=kind,
        salt=random.getrandbits(32),
        number=random.randrange(1000),
        seconds=random.choice((-3600.0, 86400.0)) if kind == "clock" else random.choice(_WAITS),
        requests=_drawn(random, API_FAULTS) if troubled else (),
        transfers=_drawn(random, FILE_FAULTS) if troubled else (),
        kill_at=random.randint(1, 12 if kind == "maintain" else 8) if troubled and random.random() < 0.2 else 0,
        full_at=random.randint(1, 5) if troubled and kind != "restart" and random.random() < 0.04 else 0,
        meanwhile=random.choice(("maintain", "deliver")) if kind == "deliver" and random.random() < 0.2 else "",
    )


def _drawn(random: Random, kinds: tuple[str, ...]) -> tuple[str, ...]:
    if random.random() < 0.5:
        return ()
    return tuple(random.choice(kinds) if random.random() < 0.4 else "ok" for _ in range(random.randint(1, 5)))


def outage(step: Step) -> str:
    """The kind of outage the step begins."""
    kinds = API_OUTAGES if step.kind == "api away" else FILE_OUTAGES
    # Most outages are a destination that is not there.
    return kinds[0] if step.number % 2 else kinds[step.number // 2 % len(kinds)]
