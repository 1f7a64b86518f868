CREATE TABLE public.attempt_ends (
    attempt_id bigint NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    ended_at double precision NOT NULL
);
CREATE TABLE public.attempts (
    id bigint NOT NULL,
    trial_id bigint NOT NULL,
    number integer NOT NULL,
    token text NOT NULL,
    owner_id text,
    provenance_id text,
    started_at double precision NOT NULL
);
CREATE SEQUENCE public.attempts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.attempts_id_seq OWNED BY public.attempts.id;
CREATE TABLE public.chunks (
    attempt_id bigint NOT NULL,
    set_id bigint NOT NULL,
    first_row bigint NOT NULL,
    n_rows bigint NOT NULL,
    serial bigint NOT NULL,
    first_step bigint NOT NULL,
    stride bigint,
    steps bytea,
    encoding integer NOT NULL,
    data bytea NOT NULL
);
CREATE TABLE public.designs (
    id bigint NOT NULL,
    round_id bigint NOT NULL,
    version integer NOT NULL,
    design text NOT NULL,
    created_at double precision NOT NULL
);
CREATE SEQUENCE public.designs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.designs_id_seq OWNED BY public.designs.id;
CREATE TABLE public.launches (
    number integer NOT NULL,
    record text NOT NULL
);
CREATE TABLE public.metric_sets (
    id bigint NOT NULL,
    names text NOT NULL
);
CREATE SEQUENCE public.metric_sets_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.metric_sets_id_seq OWNED BY public.metric_sets.id;
CREATE TABLE public.notes (
    id bigint NOT NULL,
    round_id bigint NOT NULL,
    trial_id bigint,
    text text NOT NULL,
    at double precision NOT NULL
);
CREATE SEQUENCE public.notes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.notes_id_seq OWNED BY public.notes.id;
CREATE TABLE public.outcomes (
    trial_id bigint NOT NULL,
    attempt_id bigint NOT NULL,
    status text NOT NULL,
    cause text,
    detail text NOT NULL,
    seconds double precision,
    ended_at double precision NOT NULL
);
CREATE TABLE public.owners (
    id text NOT NULL,
    host text NOT NULL,
    pid bigint NOT NULL,
    started double precision NOT NULL
);
CREATE TABLE public.provenances (
    id text NOT NULL,
    record text NOT NULL
);
CREATE TABLE public.queue (
    trial_id bigint NOT NULL,
    round_id bigint NOT NULL,
    rank bigint,
    attempt_id bigint,
    token text,
    owner_id text,
    expires_at double precision
);
CREATE TABLE public.resumes (
    attempt_id bigint NOT NULL,
    start_step bigint NOT NULL
);
CREATE TABLE public.rounds (
    id bigint NOT NULL,
    number integer NOT NULL,
    name text NOT NULL,
    origin text NOT NULL,
    created_at double precision NOT NULL
);
CREATE SEQUENCE public.rounds_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.rounds_id_seq OWNED BY public.rounds.id;
CREATE TABLE public.trials (
    id bigint NOT NULL,
    round_id bigint NOT NULL,
    spec_id text NOT NULL,
    name text NOT NULL,
    study text NOT NULL,
    config text NOT NULL,
    seed bigint NOT NULL,
    max_train_steps bigint NOT NULL,
    way_to_train text NOT NULL,
    purpose text NOT NULL,
    "position" bigint,
    point bytea,
    rank bigint NOT NULL,
    active boolean NOT NULL,
    created_at double precision NOT NULL
);
CREATE SEQUENCE public.trials_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trials_id_seq OWNED BY public.trials.id;
CREATE TABLE public.tunebook_version (
    version_num character varying(32) NOT NULL
);
ALTER TABLE ONLY public.attempts ALTER COLUMN id SET DEFAULT nextval('public.attempts_id_seq'::regclass);
ALTER TABLE ONLY public.designs ALTER COLUMN id SET DEFAULT nextval('public.designs_id_seq'::regclass);
ALTER TABLE ONLY public.metric_sets ALTER COLUMN id SET DEFAULT nextval('public.metric_sets_id_seq'::regclass);
ALTER TABLE ONLY public.notes ALTER COLUMN id SET DEFAULT nextval('public.notes_id_seq'::regclass);
ALTER TABLE ONLY public.rounds ALTER COLUMN id SET DEFAULT nextval('public.rounds_id_seq'::regclass);
ALTER TABLE ONLY public.trials ALTER COLUMN id SET DEFAULT nextval('public.trials_id_seq'::regclass);
INSERT INTO public.attempt_ends VALUES (2, 'killed', '', 1767323045);
INSERT INTO public.attempt_ends VALUES (3, 'failed', 'Traceback', 1767323045);
INSERT INTO public.attempts VALUES (1, 1, 1, 'd2e333233d7c87bbd37d304d.0', 'worker', NULL, 1767323045);
INSERT INTO public.attempts VALUES (2, 2, 1, 'd2e333233d7c87bbd37d304d.1', 'worker', NULL, 1767323045);
INSERT INTO public.attempts VALUES (3, 3, 1, 'd2e333233d7c87bbd37d304d.2', 'worker', NULL, 1767323045);
INSERT INTO public.attempts VALUES (4, 4, 1, 'd2e333233d7c87bbd37d304d.3', 'worker', NULL, 1767323045);
INSERT INTO public.attempts VALUES (5, 2, 2, '4f24b019e03b76bf85717e72.0', 'other', NULL, 1767323045);
INSERT INTO public.chunks VALUES (1, 1, 0, 300, 99, 0, 1, NULL, 3, '\x780115c507880f0018c6e1cfde9cbd397b73f6e6ced90e676f0e67afb3377ffbec3393a44bd225499224e9922449922449972449922449f2f8fa9ef717f1ff12034daa27413e8514116911492493422a99649143825cf238473e05dce00e853ce639af29e213dff8450c8a2849592a92440dead080649ad39af6a4d08d5ef42395c10c27834c263295996491cd629693c33a36b18d04bbd9cb7e7239c4118e91c7494e7396739ce70217c9e71297b9420157b9c6756e70935bdce60e77b9c77d0a79c0431ef198273ce519cf79c14b5ef19a37bce51d45bce7031ff9c467bef0956f7ce7073ff9c56ffef097488f2846714a50925294a60c652947792a50914a54a60a4954a51ad5a9414d6a519b3ad4a51ef56940431ad198649ad0946634a7052d69456bdad09676b4a7031de9440a9de94257bad19d1ef4a417bde9435ffad19f010c2495340691ce60863094610c670423194506a319c3583219c778263091494c660a5399c67466309359cc660e59cc651ef3c966010b59c46296b094652c67052b59450eab59c35ad6b19e0d6c64139bd9c256b6b19d1dec24911e09629712bb95d8a3c45e25f629b15f89034ae42a715089434a1c56e28812479538a6c47125f29438a1c449254e29715a89337a26fd1f92dbd8aa');
INSERT INTO public.chunks VALUES (2, 2, 0, 3, 0, 1, NULL, '\x789c6361800046280d0000580006', 1, '\x0000803f0000803f0000a0400000a0400000c0400000c040');
INSERT INTO public.chunks VALUES (4, 1, 0, 1, 0, 1, 0, NULL, 1, '\x0000803f');
INSERT INTO public.designs VALUES (1, 1, 1, '{"goal": "Does the optimizer matter?", "question": "compare", "pipeline": "train.py:train", "max_train_steps": 100, "objective": {"metric": "valid/error", "direction": "minimize", "reduce": "best"}, "scientific": {"optimizer": ["adam", "sgd"]}, "nuisance": {"learning_rate": {"low": 0.0001, "high": 1.0, "scale": "log"}}, "search": {"algorithm": "halton", "trials": 16, "seed": 0, "studies": "separate"}}', 1767323045);
INSERT INTO public.launches VALUES (0, '{"number": 0, "round": "r", "trial": "42899ccfb9690437", "config": {"x": 1}, "at": "2026-01-02T03:04:05+00:00", "evidence": {}, "revision": null, "command": null, "who": null, "note": "", "test_set_looked_at": false, "rolls_back": null}');
INSERT INTO public.metric_sets VALUES (1, '["valid/error"]');
INSERT INTO public.metric_sets VALUES (2, '["a", "b"]');
INSERT INTO public.notes VALUES (1, 1, 1, 'odd', 1767323045);
INSERT INTO public.outcomes VALUES (1, 1, 'complete', NULL, '', 1, 1767323045);
INSERT INTO public.outcomes VALUES (2, 5, 'infeasible', 'diverged', '', 1, 1767323045);
INSERT INTO public.owners VALUES ('worker', 'here', 7, 1767323045);
INSERT INTO public.owners VALUES ('other', 'here', 7, 1767323045);
INSERT INTO public.queue VALUES (5, 1, 4, NULL, NULL, NULL, NULL);
INSERT INTO public.queue VALUES (6, 1, 5, NULL, NULL, NULL, NULL);
INSERT INTO public.queue VALUES (4, 1, 3, 4, 'd2e333233d7c87bbd37d304d.3', 'worker', 1767323105);
INSERT INTO public.queue VALUES (3, 1, 2, NULL, NULL, NULL, NULL);
INSERT INTO public.resumes VALUES (5, 4);
INSERT INTO public.rounds VALUES (1, 1, 'r', 'native', 1767323045);
INSERT INTO public.trials VALUES (1, 1, '42899ccfb9690437', '42899ccfb9690437', 'optimizer=adam', '{"learning_rate":0.001,"optimizer":"adam"}', 0, 100, 'train.py:train', 'search', 0, '\x000000000000e03f0000000000000000', 0, true, 1767323045);
INSERT INTO public.trials VALUES (2, 1, '240c86e2fc6c3c04', '240c86e2fc6c3c04', 'optimizer=sgd', '{"learning_rate":0.002,"optimizer":"sgd"}', 1, 100, 'train.py:train', 'search', 0, '\x000000000000e03ffca9f1d24d62503f', 1, true, 1767323045);
INSERT INTO public.trials VALUES (3, 1, '120c9871301b088d', '120c9871301b088d', 'optimizer=adam', '{"learning_rate":0.003,"optimizer":"adam"}', 2, 100, 'train.py:train', 'search', 1, '\x000000000000e03ffca9f1d24d62603f', 2, true, 1767323045);
INSERT INTO public.trials VALUES (4, 1, '52c692f25c709797', '52c692f25c709797', 'optimizer=sgd', '{"learning_rate":0.004,"optimizer":"sgd"}', 3, 100, 'train.py:train', 'search', 1, '\x000000000000e03ffa7e6abc7493683f', 3, true, 1767323045);
INSERT INTO public.trials VALUES (5, 1, '29189db21aefb0cb', '29189db21aefb0cb', 'optimizer=adam', '{"learning_rate":0.005,"optimizer":"adam"}', 4, 100, 'train.py:train', 'search', 2, '\x000000000000e03ffca9f1d24d62703f', 4, true, 1767323045);
INSERT INTO public.trials VALUES (6, 1, '3078fa6ebd606377', '3078fa6ebd606377', 'optimizer=sgd', '{"learning_rate":0.006,"optimizer":"sgd"}', 5, 100, 'train.py:train', 'search', 2, '\x000000000000e03f7b14ae47e17a743f', 5, true, 1767323045);
INSERT INTO public.tunebook_version VALUES ('0001');
SELECT pg_catalog.setval('public.attempts_id_seq', 5, true);
SELECT pg_catalog.setval('public.designs_id_seq', 1, true);
SELECT pg_catalog.setval('public.metric_sets_id_seq', 2, true);
SELECT pg_catalog.setval('public.notes_id_seq', 1, true);
SELECT pg_catalog.setval('public.rounds_id_seq', 1, true);
SELECT pg_catalog.setval('public.trials_id_seq', 6, true);
ALTER TABLE ONLY public.attempt_ends
    ADD CONSTRAINT attempt_ends_pkey PRIMARY KEY (attempt_id);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_trial_id_number_key UNIQUE (trial_id, number);
ALTER TABLE ONLY public.chunks
    ADD CONSTRAINT chunks_pkey PRIMARY KEY (attempt_id, set_id, first_row);
ALTER TABLE ONLY public.designs
    ADD CONSTRAINT designs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.designs
    ADD CONSTRAINT designs_round_id_version_key UNIQUE (round_id, version);
ALTER TABLE ONLY public.launches
    ADD CONSTRAINT launches_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.metric_sets
    ADD CONSTRAINT metric_sets_names_key UNIQUE (names);
ALTER TABLE ONLY public.metric_sets
    ADD CONSTRAINT metric_sets_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.notes
    ADD CONSTRAINT notes_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.outcomes
    ADD CONSTRAINT outcomes_pkey PRIMARY KEY (trial_id);
ALTER TABLE ONLY public.owners
    ADD CONSTRAINT owners_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.provenances
    ADD CONSTRAINT provenances_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.queue
    ADD CONSTRAINT queue_pkey PRIMARY KEY (trial_id);
ALTER TABLE ONLY public.resumes
    ADD CONSTRAINT resumes_pkey PRIMARY KEY (attempt_id);
ALTER TABLE ONLY public.rounds
    ADD CONSTRAINT rounds_name_key UNIQUE (name);
ALTER TABLE ONLY public.rounds
    ADD CONSTRAINT rounds_number_key UNIQUE (number);
ALTER TABLE ONLY public.rounds
    ADD CONSTRAINT rounds_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT trials_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT trials_round_id_name_key UNIQUE (round_id, name);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT trials_round_id_spec_id_key UNIQUE (round_id, spec_id);
ALTER TABLE ONLY public.tunebook_version
    ADD CONSTRAINT tunebook_version_pkc PRIMARY KEY (version_num);
CREATE INDEX ix_notes_round ON public.notes USING btree (round_id);
CREATE INDEX ix_queue_order ON public.queue USING btree (round_id, rank, trial_id);
CREATE INDEX ix_queue_owner ON public.queue USING btree (owner_id);
ALTER TABLE ONLY public.attempt_ends
    ADD CONSTRAINT attempt_ends_attempt_id_fkey FOREIGN KEY (attempt_id) REFERENCES public.attempts(id);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES public.owners(id);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_provenance_id_fkey FOREIGN KEY (provenance_id) REFERENCES public.provenances(id);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(id);
ALTER TABLE ONLY public.chunks
    ADD CONSTRAINT chunks_attempt_id_fkey FOREIGN KEY (attempt_id) REFERENCES public.attempts(id);
ALTER TABLE ONLY public.chunks
    ADD CONSTRAINT chunks_set_id_fkey FOREIGN KEY (set_id) REFERENCES public.metric_sets(id);
ALTER TABLE ONLY public.designs
    ADD CONSTRAINT designs_round_id_fkey FOREIGN KEY (round_id) REFERENCES public.rounds(id);
ALTER TABLE ONLY public.notes
    ADD CONSTRAINT notes_round_id_fkey FOREIGN KEY (round_id) REFERENCES public.rounds(id);
ALTER TABLE ONLY public.notes
    ADD CONSTRAINT notes_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(id);
ALTER TABLE ONLY public.outcomes
    ADD CONSTRAINT outcomes_attempt_id_fkey FOREIGN KEY (attempt_id) REFERENCES public.attempts(id);
ALTER TABLE ONLY public.outcomes
    ADD CONSTRAINT outcomes_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(id);
ALTER TABLE ONLY public.queue
    ADD CONSTRAINT queue_attempt_id_fkey FOREIGN KEY (attempt_id) REFERENCES public.attempts(id);
ALTER TABLE ONLY public.queue
    ADD CONSTRAINT queue_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES public.owners(id);
ALTER TABLE ONLY public.queue
    ADD CONSTRAINT queue_round_id_fkey FOREIGN KEY (round_id) REFERENCES public.rounds(id);
ALTER TABLE ONLY public.queue
    ADD CONSTRAINT queue_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(id);
ALTER TABLE ONLY public.resumes
    ADD CONSTRAINT resumes_attempt_id_fkey FOREIGN KEY (attempt_id) REFERENCES public.attempts(id);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT trials_round_id_fkey FOREIGN KEY (round_id) REFERENCES public.rounds(id);
