BEGIN TRANSACTION;
CREATE TABLE attempt_ends (
	attempt_id INTEGER NOT NULL, 
	reason TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	ended_at DOUBLE NOT NULL, 
	PRIMARY KEY (attempt_id), 
	FOREIGN KEY(attempt_id) REFERENCES attempts (id)
);
INSERT INTO "attempt_ends" VALUES(2,'killed','',1767323045.0);
INSERT INTO "attempt_ends" VALUES(3,'failed','Traceback',1767323045.0);
CREATE TABLE attempts (
	id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	token TEXT NOT NULL, 
	owner_id TEXT, 
	provenance_id TEXT, 
	started_at DOUBLE NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (trial_id, number), 
	FOREIGN KEY(trial_id) REFERENCES trials (id), 
	FOREIGN KEY(owner_id) REFERENCES owners (id), 
	FOREIGN KEY(provenance_id) REFERENCES provenances (id)
);
INSERT INTO "attempts" VALUES(1,1,1,'0d7f4bf30476274d08402c56.0','worker',NULL,1767323045.0);
INSERT INTO "attempts" VALUES(2,2,1,'0d7f4bf30476274d08402c56.1','worker',NULL,1767323045.0);
INSERT INTO "attempts" VALUES(3,3,1,'0d7f4bf30476274d08402c56.2','worker',NULL,1767323045.0);
INSERT INTO "attempts" VALUES(4,4,1,'0d7f4bf30476274d08402c56.3','worker',NULL,1767323045.0);
INSERT INTO "attempts" VALUES(5,2,2,'f8096974b6c21773d01e07fc.0','other',NULL,1767323045.0);
CREATE TABLE chunks (
	attempt_id INTEGER NOT NULL, 
	set_id INTEGER NOT NULL, 
	first_row BIGINT NOT NULL, 
	n_rows BIGINT NOT NULL, 
	serial BIGINT NOT NULL, 
	first_step BIGINT NOT NULL, 
	stride BIGINT, 
	steps BLOB, 
	encoding INTEGER NOT NULL, 
	data BLOB NOT NULL, 
	PRIMARY KEY (attempt_id, set_id, first_row), 
	FOREIGN KEY(attempt_id) REFERENCES attempts (id), 
	FOREIGN KEY(set_id) REFERENCES metric_sets (id)
);
INSERT INTO "chunks" VALUES(1,1,0,300,99,0,1,NULL,3,X'780115C507880F0018C6E1CFDE9CBD397B73F6E6CED90E676F0E67AFB3377FFBEC3393A44BD225499224E9922449922449972449922449F2F8FA9EF717F1FF12034DAA27413E8514116911492493422A99649143825CF238473E05DCE00E853CE639AF29E213DFF8450C8A2849592A92440DEAD080649AD39AF6A4D08D5EF42395C10C27834C263295996491CD629693C33A36B18D04BBD9CB7E7239C4118E91C7494E7396739CE70217C9E71297B9420157B9C6756E70935BDCE60E77B9C77D0A79C0431EF198273CE519CF79C14B5EF19A37BCE51D45BCE7031FF9C467BEF0956F7CE7073FF9C56FFEF097488F2846714A50925294A60C652947792A50914A54A60A4954A51AD5A9414D6A519B3AD4A51EF56940431AD198649AD0946634A7052D69456BDAD09676B4A7031DE9440A9DE94257BAD19D1EF4A417BDE9435FFAD19F010C2495340691CE60863094610C670423194506A319C3583219C778263091494C660A5399C67466309359CC660E59CC651EF3C966010B59C46296B094652C67052B59450EAB59C35AD6B19E0D6C64139BD9C256B6B19D1DEC24911E09629712BB95D8A3C45E25F629B15F89034AE42A715089434A1C56E28812479538A6C47125F29438A1C449254E29715A89337A26FD1F92DBD8AA');
INSERT INTO "chunks" VALUES(2,2,0,3,0,1,NULL,X'789C6361800046280D0000580006',1,X'0000803F0000803F0000A0400000A0400000C0400000C040');
INSERT INTO "chunks" VALUES(4,1,0,1,0,1,0,NULL,1,X'0000803F');
CREATE TABLE designs (
	id INTEGER NOT NULL, 
	round_id INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	design TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (round_id, version), 
	FOREIGN KEY(round_id) REFERENCES rounds (id)
);
INSERT INTO "designs" VALUES(1,1,1,'{"goal": "Does the optimizer matter?", "question": "compare", "pipeline": "train.py:train", "max_train_steps": 100, "objective": {"metric": "valid/error", "direction": "minimize", "reduce": "best"}, "scientific": {"optimizer": ["adam", "sgd"]}, "nuisance": {"learning_rate": {"low": 0.0001, "high": 1.0, "scale": "log"}}, "search": {"algorithm": "halton", "trials": 16, "seed": 0, "studies": "separate"}}',1767323045.0);
CREATE TABLE launches (
	number INTEGER NOT NULL, 
	record TEXT NOT NULL, 
	PRIMARY KEY (number)
);
INSERT INTO "launches" VALUES(0,'{"number": 0, "round": "r", "trial": "42899ccfb9690437", "config": {"x": 1}, "at": "2026-01-02T03:04:05+00:00", "evidence": {}, "revision": null, "command": null, "who": null, "note": "", "test_set_looked_at": false, "rolls_back": null}');
CREATE TABLE metric_sets (
	id INTEGER NOT NULL, 
	names TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (names)
);
INSERT INTO "metric_sets" VALUES(1,'["valid/error"]');
INSERT INTO "metric_sets" VALUES(2,'["a", "b"]');
CREATE TABLE notes (
	id INTEGER NOT NULL, 
	round_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	text TEXT NOT NULL, 
	at DOUBLE NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(round_id) REFERENCES rounds (id), 
	FOREIGN KEY(trial_id) REFERENCES trials (id)
);
INSERT INTO "notes" VALUES(1,1,1,'odd',1767323045.0);
CREATE TABLE outcomes (
	trial_id INTEGER NOT NULL, 
	attempt_id INTEGER NOT NULL, 
	status TEXT NOT NULL, 
	cause TEXT, 
	detail TEXT NOT NULL, 
	seconds DOUBLE, 
	ended_at DOUBLE NOT NULL, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (id), 
	FOREIGN KEY(attempt_id) REFERENCES attempts (id)
);
INSERT INTO "outcomes" VALUES(1,1,'complete',NULL,'',1.0,1767323045.0);
INSERT INTO "outcomes" VALUES(2,5,'infeasible','diverged','',1.0,1767323045.0);
CREATE TABLE owners (
	id TEXT NOT NULL, 
	host TEXT NOT NULL, 
	pid BIGINT NOT NULL, 
	started DOUBLE NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "owners" VALUES('worker','here',7,1767323045.0);
INSERT INTO "owners" VALUES('other','here',7,1767323045.0);
CREATE TABLE provenances (
	id TEXT NOT NULL, 
	record TEXT NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE queue (
	trial_id INTEGER NOT NULL, 
	round_id INTEGER NOT NULL, 
	rank BIGINT, 
	attempt_id INTEGER, 
	token TEXT, 
	owner_id TEXT, 
	expires_at DOUBLE, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (id), 
	FOREIGN KEY(round_id) REFERENCES rounds (id), 
	FOREIGN KEY(attempt_id) REFERENCES attempts (id), 
	FOREIGN KEY(owner_id) REFERENCES owners (id)
);
INSERT INTO "queue" VALUES(3,1,2,NULL,NULL,NULL,NULL);
INSERT INTO "queue" VALUES(4,1,3,4,'0d7f4bf30476274d08402c56.3','worker',1767323105.0);
INSERT INTO "queue" VALUES(5,1,4,NULL,NULL,NULL,NULL);
INSERT INTO "queue" VALUES(6,1,5,NULL,NULL,NULL,NULL);
CREATE TABLE resumes (
	attempt_id INTEGER NOT NULL, 
	start_step BIGINT NOT NULL, 
	PRIMARY KEY (attempt_id), 
	FOREIGN KEY(attempt_id) REFERENCES attempts (id)
);
INSERT INTO "resumes" VALUES(5,4);
CREATE TABLE rounds (
	id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	origin TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (number), 
	UNIQUE (name)
);
INSERT INTO "rounds" VALUES(1,1,'r','native',1767323045.0);
CREATE TABLE trials (
	id INTEGER NOT NULL, 
	round_id INTEGER NOT NULL, 
	spec_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	study TEXT NOT NULL, 
	config TEXT NOT NULL, 
	seed BIGINT NOT NULL, 
	max_train_steps BIGINT NOT NULL, 
	way_to_train TEXT NOT NULL, 
	purpose TEXT NOT NULL, 
	position BIGINT, 
	point BLOB, 
	rank BIGINT NOT NULL, 
	active BOOLEAN NOT NULL, 
	created_at DOUBLE NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (round_id, spec_id), 
	UNIQUE (round_id, name), 
	FOREIGN KEY(round_id) REFERENCES rounds (id)
);
INSERT INTO "trials" VALUES(1,1,'42899ccfb9690437','42899ccfb9690437','optimizer=adam','{"learning_rate":0.001,"optimizer":"adam"}',0,100,'train.py:train','search',0,X'000000000000E03F0000000000000000',0,1,1767323045.0);
INSERT INTO "trials" VALUES(2,1,'240c86e2fc6c3c04','240c86e2fc6c3c04','optimizer=sgd','{"learning_rate":0.002,"optimizer":"sgd"}',1,100,'train.py:train','search',0,X'000000000000E03FFCA9F1D24D62503F',1,1,1767323045.0);
INSERT INTO "trials" VALUES(3,1,'120c9871301b088d','120c9871301b088d','optimizer=adam','{"learning_rate":0.003,"optimizer":"adam"}',2,100,'train.py:train','search',1,X'000000000000E03FFCA9F1D24D62603F',2,1,1767323045.0);
INSERT INTO "trials" VALUES(4,1,'52c692f25c709797','52c692f25c709797','optimizer=sgd','{"learning_rate":0.004,"optimizer":"sgd"}',3,100,'train.py:train','search',1,X'000000000000E03FFA7E6ABC7493683F',3,1,1767323045.0);
INSERT INTO "trials" VALUES(5,1,'29189db21aefb0cb','29189db21aefb0cb','optimizer=adam','{"learning_rate":0.005,"optimizer":"adam"}',4,100,'train.py:train','search',2,X'000000000000E03FFCA9F1D24D62703F',4,1,1767323045.0);
INSERT INTO "trials" VALUES(6,1,'3078fa6ebd606377','3078fa6ebd606377','optimizer=sgd','{"learning_rate":0.006,"optimizer":"sgd"}',5,100,'train.py:train','search',2,X'000000000000E03F7B14AE47E17A743F',5,1,1767323045.0);
CREATE TABLE tunebook_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT tunebook_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "tunebook_version" VALUES('0001');
CREATE INDEX ix_queue_order ON queue (round_id, rank, trial_id);
CREATE INDEX ix_queue_owner ON queue (owner_id);
CREATE INDEX ix_notes_round ON notes (round_id);
COMMIT;
