"""What each number means, shown beside it. The words follow the code that makes the number."""

from __future__ import annotations

FOOTFALL = (
    "**Footfall**: crossings of an entrance line, inward, at up to 3 m/s. One person who comes in twice counts twice; "
    "*visitors* counts that person once."
)
VISITORS = "**Visitors**: different people who crossed an entrance inward at least once on the day."
PEAK = (
    "**Peak occupancy**: most people in the store at one moment. A person is in the store from the first to the last "
    "sign of them (a zone visit or an entrance crossing); who went out through an entrance is outside until their next "
    "sign. So it never falls below zero, and every day begins anew."
)
STAY = "**Time in store**: from the first to the last sign of a person, less the time they were out; mean over people."
DWELL = (
    "**Dwell**: exit minus entry of a zone visit. Mean over whole visits; visits cut off by the start or end of the "
    "video are *truncated* and counted apart."
)
DENSITY = (
    "**Density**: people per square metre of the zone, mean over the observed part of opening hours. "
    "Fruin levels: A < 0.31, B < 0.43, C < 0.72, D < 1.08, E < 2.15, F above."
)
OCCUPANCY = "**Occupancy**: people inside, time-weighted mean over the observed part of each step."
PARTIES = (
    "**Parties**: people who come in together and walk together count as one. Two are companions if they cross the "
    "same entrance within 8 s of each other and keep within 2 m for at least half of the time in which one of them "
    "walks."
)
CONVERSION = (
    "**Conversion**: transactions of the tills per shopper who came in, by hour. People buy some time after they came "
    "in, so an hour by itself may be above 100%; the day's is the quotient of the sums."
)
COVERAGE = (
    "**Coverage**: seconds the cameras saw, of the seconds they should have seen. What was not recorded, or recorded "
    "behind a covered lens, is left out, never counted as empty."
)
VISITS = "**Visits**: stays in a zone, from entry to exit. A break in the track ends no visit while the person goes on."
HIDDEN = (
    "**Out of sight**: for up to the store's `counting.max_hidden_s` a person is held to go straight to where they are "
    "seen again; where that is within 2 m of where they vanished, to have stood there, for up to six times as long."
)
UNIQUE = "**Visitors of the zone**: different people, each counted once a day however often they come back."
PENETRATION = "**Penetration**: visitors of the zone as a share of all people in the store on the day."
ENGAGED = "**Engaged**: visits that last at least the store's `counting.engaged_s`, as a share of all visits."
QUEUE = (
    "**Queue length**: shoppers at the checkout, the one who is served included, time-weighted mean by hour. Who stays "
    "under 10 s only passes by."
)
WAIT = (
    "**Waiting time**: from joining the queue to leaving the till, by hour of arrival; median, and the time nine "
    "in ten stay below."
)
CROWDED = "**Crowding**: at least 30 s without interruption with more people in a zone than its `capacity`."
HEAT = (
    "**Heat**: person-seconds per square metre. A person seen by two cameras at once counts once; the time between two "
    "places of a person counts at the middle between them, unless they were out of sight for longer than the store's "
    "`counting.max_hidden_s`."
)
FLOWS = "**Flows**: people who go from one zone straight to the next; repeats within a zone are joined."
FIRST_VISIT = (
    "**Time to first visit**: from a person's first way in through an entrance to the first visit of the zone; median "
    "over the people who came in and visited it."
)
PATHS = "**Ways**: the zones of a person in order of entry; repeats within a zone are joined."
OUT_OF_HOURS = "Crossings outside the store's opening hours count like all others, and are told apart."
CONFIDENCE = "**Identity confidence**: how sure the join of a camera track to a person is, from 0 to 1."
STAGES = (
    "Stages: seconds by the clock, from the plan to the day in the lake. The time on video is shared among decoding, "
    "detection and description as the machines spent theirs on it."
)
COMPARISONS = {
    "weekday": "the same weekday a week before",
    "week": "the mean of the 7 days before",
    "month": "the mean of the 28 days before",
}
STAFF = "Staff are people the store's staff rule recognises. They are left out unless they are switched on."
ANOMALY = (
    "**Unusual days**: footfall against the median of the store's other days of the same weekday, eight weeks to "
    "either side and at least three that were well covered. A day is marked when it lies more than 40% away, or more "
    "than 15% and 3.5 robust deviations (1.4826 times the median absolute deviation), or when less than 95% of it was "
    "seen."
)
SEVERAL_WAYS = (
    "People inside, mean of each step of the chart: as those who came in less those who went out at the entrances, "
    "beginning anew every day; from the first to the last sign of each person; and, while the day's positions are "
    "kept, as those who are in sight on the floor. A difference that stays means people were missed at an entrance; "
    "one that goes again, people whom no camera saw for a while."
)
AUDIT = (
    "A random quarter-hour of the chosen days, every recorded one of opening hours as likely as any other. Watch it "
    "and count everybody, staff too, who crosses the entrance's line (or, in a store without entrances, who comes into "
    "and leaves the zone). The lake's own count is shown only after yours is saved."
)
ACCURACY = (
    "**Accuracy**: 1 less the sum of the lake's errors over the people counted by a person; ways in and out, and "
    "quarter-hours, are taken apart, so that errors do not cancel out. The 95% interval comes from drawing the "
    "quarter-hours anew (bootstrap): few of them give a wide one. **Lake over people**: all that the lake counted over "
    "all that people did."
)
CHECKS = (
    "**Checks** of each processed day. *Camera moved*: metres by which the calibration misplaces what the camera sees, "
    "against its view of the day before. *Lens covered*: share of pictures that show next to nothing. *Clock*: cameras "
    "that see the same floor against each other, and the day's course against the days before. *Tracks cut off*: by "
    "the start or end of the video. *People cut off*: who appear or vanish away from every entrance. *Unsure "
    "identities*: confidence under 0.5. *Occupancy apart*: by crossings and by places. *Unusual footfall*: for this "
    "weekday."
)

MADE_BY: dict[str, tuple[tuple[str, str], ...]] = {
    "People and doors": (
        (FOOTFALL, "flows.footfall.entrance_crossings"),
        (VISITORS, "flows.rollup.day_numbers_sql"),
        (OUT_OF_HOURS, "flows.comparisons.within"),
        (PARTIES, "flows.groups.find_groups"),
        (CONVERSION, "flows.comparisons.conversion_by_hour"),
        (STAFF, "flows.staff.roles_of"),
    ),
    "Occupancy and time in the store": (
        (OCCUPANCY, "flows.zone_counts.zone_counts"),
        (PEAK, "flows.rollup.stays_sql"),
        (STAY, "flows.rollup.day_numbers_sql"),
        (SEVERAL_WAYS, "flows.occupancy.occupancy_disagreement"),
    ),
    "Zones": (
        (VISITS, "flows.visits.zone_visits"),
        (HIDDEN, "flows.trajectories.trajectories"),
        (UNIQUE, "flows.dwell.dwell_statistics"),
        (PENETRATION, "flows.dwell.penetration"),
        (DWELL, "flows.dwell.dwell_statistics"),
        (ENGAGED, "flows.dwell.dwell_statistics"),
        (DENSITY, "flows.density.fruin_level"),
        (CROWDED, "flows.density.crowding_episodes"),
        (QUEUE, "flows.queues.queue_lengths"),
        (WAIT, "flows.queues.waiting_times"),
    ),
    "Floor and ways": (
        (HEAT, "flows.heatmap.heat_map"),
        (FLOWS, "flows.journeys.transitions"),
        (FIRST_VISIT, "flows.journeys.time_to_first_visit"),
        (PATHS, "flows.journeys.common_paths"),
    ),
    "Quality": (
        (COVERAGE, "flows.observation.observed_share"),
        (CONFIDENCE, "reid.links.link_confidence"),
        (CHECKS, "flows.day_checks.day_checks"),
        (ANOMALY, "flows.unusual.unusual_days"),
        (AUDIT, "flows.audit.questions"),
        (ACCURACY, "flows.audit.accuracy"),
        (STAGES, "flows.store_day.video_seconds"),
    ),
}
"""By subject, each definition with the function whose docstring has all of it."""


def page() -> str:
    """docs/metrics.md: `python -m dashboards.definitions > docs/metrics.md`."""
    lines = [
        "# What each number means",
        "",
        "The words that the dashboard shows behind the question mark beside each number, with the function that makes",
        "it; its docstring says the rest. Columns and units of tables are in [flows/schemas.py](../flows/schemas.py).",
        "This page is written by `python -m dashboards.definitions > docs/metrics.md`.",
    ]
    for subject, definitions in MADE_BY.items():
        lines += ["", f"## {subject}", ""]
        for text, function in definitions:
            module, name = function.rsplit(".", 1)
            file = f"{module.replace('.', '/')}.py"
            lines.append(f"- {text} [`{name}`](../{file})")
    held = "; ".join(f"{name}: {text}" for name, text in COMPARISONS.items())
    return "\n".join([*lines, "", "## Compared with", "", f"A change is held against {held}.", ""])


if __name__ == "__main__":
    print(page(), end="")
