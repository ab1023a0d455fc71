-- gostray's memory of the past, for anybody to query. Version 1 (PRAGMA user_version).
-- All times are Unix seconds in UTC: `datetime(first_seen, 'unixepoch')` shows one as text.
-- `leaks` is a view for people: one line for each leak.

CREATE TABLE programs (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,          -- path of the main package, else the executable's name
    last_seen INTEGER NOT NULL
);

-- One build of a program.
CREATE TABLE builds (
    id INTEGER PRIMARY KEY,
    program INTEGER NOT NULL REFERENCES programs ON DELETE CASCADE,
    build_id TEXT NOT NULL,             -- GNU or Go build id; else what else is known of the build
    vcs_revision TEXT,
    go_version TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    UNIQUE (program, build_id)
);

-- One process that was watched.
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    build INTEGER NOT NULL REFERENCES builds ON DELETE CASCADE,
    boot_id TEXT NOT NULL,              -- which boot of which machine
    pid INTEGER NOT NULL,
    start_ticks INTEGER NOT NULL,       -- clock ticks from boot to the process's start
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    UNIQUE (boot_id, pid, start_ticks, build)
);

-- One `go` statement, whatever its line in this or that build.
CREATE TABLE sites (
    id INTEGER PRIMARY KEY,
    program INTEGER NOT NULL REFERENCES programs ON DELETE CASCADE,
    function TEXT NOT NULL,             -- the function the `go` statement stands in
    started TEXT NOT NULL,              -- the function it starts
    ordinal INTEGER NOT NULL,           -- among those in the function that start the same, from 0
    file TEXT,                          -- where it was last seen
    line INTEGER,
    last_seen INTEGER NOT NULL,
    UNIQUE (program, function, started, ordinal)
);

-- What is normal for a site at an hour of the week; a sample is taken about once a minute.
CREATE TABLE baselines (
    site INTEGER NOT NULL REFERENCES sites ON DELETE CASCADE,
    hour_of_week INTEGER NOT NULL,      -- 0 (Monday, 00:00 to 01:00 UTC) to 167
    live_mean REAL NOT NULL,            -- goroutines alive in one process
    live_variance REAL NOT NULL,
    created_mean REAL NOT NULL,         -- goroutines created a second
    created_variance REAL NOT NULL,
    weight REAL NOT NULL,               -- of what was learnt, against 1 of a new sample
    samples INTEGER NOT NULL,
    weeks INTEGER NOT NULL,             -- in which there were samples
    last_week INTEGER NOT NULL,         -- the last of them, counted from 1970
    PRIMARY KEY (site, hour_of_week)
) WITHOUT ROWID;

-- A site that leaked.
CREATE TABLE incidents (
    id INTEGER PRIMARY KEY,
    site INTEGER NOT NULL UNIQUE REFERENCES sites ON DELETE CASCADE,
    verdict TEXT NOT NULL,              -- the surest so far: suspect, likely or proven
    rule TEXT NOT NULL,                 -- that made it
    state TEXT NOT NULL,                -- open, resolved, verified (a fix) or returned
    state_since INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,         -- leaking
    peak INTEGER NOT NULL,              -- most goroutines of it alive in one process
    growth_per_minute REAL NOT NULL,    -- when it was last reported
    pattern TEXT,
    wait_reason TEXT
);

-- What each build has done at a site that leaked, all its runs together.
CREATE TABLE incident_builds (
    incident INTEGER NOT NULL REFERENCES incidents ON DELETE CASCADE,
    build INTEGER NOT NULL REFERENCES builds ON DELETE CASCADE,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    runs INTEGER NOT NULL,
    watched_seconds REAL NOT NULL,
    created INTEGER NOT NULL,           -- goroutines created while watched
    lost INTEGER NOT NULL,              -- by how many those older than 3 s grew meanwhile
    found_after_seconds REAL,           -- what it took to find the leak; null where none was found
    found_after_created INTEGER,
    PRIMARY KEY (incident, build)
) WITHOUT ROWID;

-- The same for each run; the oldest are forgotten.
CREATE TABLE incident_runs (
    incident INTEGER NOT NULL REFERENCES incidents ON DELETE CASCADE,
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    last_seen INTEGER NOT NULL,
    watched_seconds REAL NOT NULL,
    created INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    leaks INTEGER NOT NULL,             -- 1 where the leak was found in this run
    PRIMARY KEY (incident, run)
) WITHOUT ROWID;

CREATE INDEX builds_of_runs ON runs (build);
CREATE INDEX builds_of_incidents ON incident_builds (build);
CREATE INDEX runs_of_incidents ON incident_runs (run);

CREATE VIEW leaks AS
SELECT programs.name AS program, sites.function, sites.started, sites.file, sites.line,
    incidents.verdict, incidents.state,
    datetime(incidents.first_seen, 'unixepoch') AS first_seen,
    datetime(incidents.last_seen, 'unixepoch') AS last_seen,
    incidents.peak,
    round(incidents.growth_per_minute, 1) AS growth_per_minute,
    (SELECT count(*) FROM incident_builds WHERE incident = incidents.id) AS builds,
    (SELECT sum(runs) FROM incident_builds WHERE incident = incidents.id) AS runs
FROM incidents JOIN sites ON sites.id = incidents.site JOIN programs ON programs.id = sites.program;
