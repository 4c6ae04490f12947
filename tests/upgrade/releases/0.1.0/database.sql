BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0015');
CREATE TABLE answers (
	id VARCHAR(40) NOT NULL, 
	channel VARCHAR(32) NOT NULL, 
	source_id VARCHAR(400) NOT NULL, 
	approval_id INTEGER NOT NULL, 
	level INTEGER NOT NULL, 
	person VARCHAR(128) NOT NULL, 
	verdict VARCHAR(16) NOT NULL, 
	comment TEXT NOT NULL, 
	proof JSON NOT NULL, 
	at DATETIME NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	words TEXT NOT NULL, details JSON, 
	PRIMARY KEY (id), 
	UNIQUE (channel, source_id)
);
INSERT INTO "answers" VALUES('ae22516f83a54941ad38c555a1664b6d','email','39d9ff17302111e0bd14ee45cc1498de785fb2c698a6168af3eaaa24caf26204',1001,1,'grace','approve','','{"message_id": "<179589833629.8322.3574591087862802798@example.test>", "sender": "grace@example.test", "code": "answer", "check 1: well formed": "passed: nothing against it", "check 2: by a person": "passed: nothing against it", "check 3: one sender": "passed: grace@example.test", "check 4: authentic": "passed: dmarc=pass header.from=example.test", "check 5: known sender": "passed: grace", "check 6: names one request": "passed: #1001", "check 7: own copy": "passed: a token of grace", "check 8: written to us": "passed: countersign+1001-1-a1\u2026@example.test", "check 9: subject names it": "passed: Re: Countersign - Connection Approval Notification - #1001", "check 10: sent by themselves": "passed: nothing against it", "check 11: not forwarded": "passed: nothing against it", "check 12: has text": "passed: nothing against it", "check 13: nothing disguised": "passed: nothing against it", "check 14: one answer only": "passed: nothing against it", "check 15: answers plainly": "passed: approve", "check 16: still waiting": "passed: Waiting", "check 17: this level": "passed: level 1, asked now: any"}','2026-11-28 20:38:56.000000','accepted','It counted.',NULL);
INSERT INTO "answers" VALUES('a31b13cab68d41b0b87e190cbd60e4ef','email','10495e2ea79c2b2fb8fa23cbd0315e410496a158422019e5cbb7a675cfb19098',1004,1,'grace','approve','Good luck.','{"message_id": "<179589833699.8322.16765838338722288537@example.test>", "sender": "grace@example.test", "code": "answer", "check 1: well formed": "passed: nothing against it", "check 2: by a person": "passed: nothing against it", "check 3: one sender": "passed: grace@example.test", "check 4: authentic": "passed: dmarc=pass header.from=example.test", "check 5: known sender": "passed: grace", "check 6: names one request": "passed: #1004", "check 7: own copy": "passed: a token of grace", "check 8: written to us": "passed: countersign+1004-1-a1\u2026@example.test", "check 9: subject names it": "passed: Re: Countersign - Connection Approval Notification - #1004", "check 10: sent by themselves": "passed: nothing against it", "check 11: not forwarded": "passed: nothing against it", "check 12: has text": "passed: nothing against it", "check 13: nothing disguised": "passed: nothing against it", "check 14: one answer only": "passed: nothing against it", "check 15: answers plainly": "passed: approve", "check 16: still waiting": "passed: Waiting", "check 17: this level": "passed: level 1, asked now: any"}','2026-11-28 20:38:56.000000','accepted','It counted.',NULL);
INSERT INTO "answers" VALUES('a0739ea7b51e49e18e6ba7a12590fee0','portal','fbc14dc0d862.542c637b020e4623930ee01a958778a9',1005,1,'grace','approve','go on','{"token": "fbc14dc0d862"}','2026-11-28 20:38:57.262440','accepted','It counted.',NULL);
INSERT INTO "answers" VALUES('f0747fda2750463484fd1aa8eb9548f5','portal','ad86104eb0c2.28da5cbce37947e6a229f9a30566e8b0',1005,2,'heidi','approve','','{"token": "ad86104eb0c2"}','2026-11-28 20:38:57.426519','accepted','It counted.',NULL);
INSERT INTO "answers" VALUES('470f67aa58334e4081a3a394c0a2ed1c','portal','02654aa93bb2.880b7ec1dc704511b087e06f74bee8b4',1007,1,'bob','approve','','{"token": "02654aa93bb2"}','2026-11-28 20:38:57.893746','refused','Nobody may decide on their own request.','{"code": "own-request"}');
INSERT INTO "answers" VALUES('1d282790c844458cbfd1fb9704aeae10','portal','fbc14dc0d862.9388ca6ca26e40acb05fbfeaa26e82e9',1006,1,'grace','approve','fine with me','{"token": "fbc14dc0d862"}','2026-11-28 20:38:57.982854','accepted','It counted.',NULL);
INSERT INTO "answers" VALUES('2794befb6df04948b048fe98bbb79d8e','portal','fbc14dc0d862.c07413a32de344799d7cac4b5f836485',1007,1,'grace','approve','','{"token": "fbc14dc0d862"}','2026-11-28 20:38:58.169715','accepted','It counted.',NULL);
INSERT INTO "answers" VALUES('8410cf762a004784bc7b1b63d6c70daf','portal','fbc14dc0d862.d2d043a217964262a9f6640d98f35ddc',1008,1,'grace','reject','not today','{"token": "fbc14dc0d862"}','2026-11-28 20:38:58.790664','accepted','It counted.',NULL);
INSERT INTO "answers" VALUES('734bfc72ceeb494ead4a7226ab7a0b9d','email','e90be883a51b9aa49830c6ace1be2739506c6ddb8b97f9918c8633abbb7d57a8',1013,1,'grace','reject','Ask again on Monday, please.','{"message_id": "<179589834025.8322.13406298418532625598@example.test>", "sender": "grace@example.test", "code": "answer", "check 1: well formed": "passed: nothing against it", "check 2: by a person": "passed: nothing against it", "check 3: one sender": "passed: grace@example.test", "check 4: authentic": "passed: dmarc=pass header.from=example.test", "check 5: known sender": "passed: grace", "check 6: names one request": "passed: #1013", "check 7: own copy": "passed: a token of grace", "check 8: written to us": "passed: countersign+1013-1-a1\u2026@example.test", "check 9: subject names it": "passed: Re: Countersign - Connection Approval Notification - #1013", "check 10: sent by themselves": "passed: nothing against it", "check 11: not forwarded": "passed: nothing against it", "check 12: has text": "passed: nothing against it", "check 13: nothing disguised": "passed: nothing against it", "check 14: one answer only": "passed: nothing against it", "check 15: answers plainly": "passed: reject", "check 16: still waiting": "passed: Waiting", "check 17: this level": "passed: level 1, asked now: any"}','2026-11-28 20:39:00.000000','accepted','It counted.',NULL);
INSERT INTO "answers" VALUES('47b6f52812484eb8b55071caf88dd1b0','portal','fbc14dc0d862.615a05f995774162893205ccc9ad97ed',1016,1,'grace','approve','','{"token": "fbc14dc0d862"}','2026-11-28 20:39:01.892690','accepted','It counted.',NULL);
INSERT INTO "answers" VALUES('f41b757f98c84a7cb0bbd955bd194891','slack','action:DMX0VI5PN13.1795898342.000004.UGRACE.1795898342.967',1019,1,'grace','approve','','{"user": "UGRACE", "team": "T01TEST", "app": "A01APP"}','2026-11-28 20:39:02.990624','accepted','It counted.',NULL);
INSERT INTO "answers" VALUES('a6dd0d344bcd4420927bc73603ce58ec','portal','ad86104eb0c2.d71456b89b5442219feb143f6a74e752',1004,2,'heidi','approve','','{"token": "ad86104eb0c2"}','2026-11-28 20:40:03.089115','open','',NULL);
CREATE TABLE approvers (
	approval_id INTEGER NOT NULL, 
	level INTEGER NOT NULL, 
	person VARCHAR(128) NOT NULL, 
	because TEXT NOT NULL, 
	standing VARCHAR(16) NOT NULL, 
	PRIMARY KEY (approval_id, level, person), 
	FOREIGN KEY(approval_id) REFERENCES requests (approval_id)
);
INSERT INTO "approvers" VALUES(1001,1,'grace','manager of engineers','');
INSERT INTO "approvers" VALUES(1002,1,'grace','manager of engineers','');
INSERT INTO "approvers" VALUES(1003,1,'grace','manager of engineers','');
INSERT INTO "approvers" VALUES(1004,1,'grace','manager of engineers','');
INSERT INTO "approvers" VALUES(1005,1,'grace','manager of engineers','');
INSERT INTO "approvers" VALUES(1004,2,'heidi','manager of databases','');
INSERT INTO "approvers" VALUES(1004,2,'ivan','manager of databases','');
INSERT INTO "approvers" VALUES(1004,2,'ada','named approver','');
INSERT INTO "approvers" VALUES(1005,2,'heidi','manager of databases','');
INSERT INTO "approvers" VALUES(1005,2,'ivan','manager of databases','');
INSERT INTO "approvers" VALUES(1005,2,'ada','named approver','');
INSERT INTO "approvers" VALUES(1006,1,'grace','manager of engineers','');
INSERT INTO "approvers" VALUES(1007,1,'grace','manager of engineers','');
INSERT INTO "approvers" VALUES(1008,1,'grace','manager of engineers','');
INSERT INTO "approvers" VALUES(1009,1,'grace','manager of engineers','');
INSERT INTO "approvers" VALUES(1010,1,'grace','manager of engineers','');
INSERT INTO "approvers" VALUES(1013,1,'grace','manager of engineers','');
INSERT INTO "approvers" VALUES(1014,1,'grace','manager of engineers','away');
INSERT INTO "approvers" VALUES(1015,1,'grace','manager of engineers','');
INSERT INTO "approvers" VALUES(1016,1,'grace','manager of engineers','');
INSERT INTO "approvers" VALUES(1017,1,'grace','manager of engineers','');
INSERT INTO "approvers" VALUES(1014,1,'ada','fallback approver','');
INSERT INTO "approvers" VALUES(1014,1,'judy','fallback approver','');
INSERT INTO "approvers" VALUES(1018,1,'grace','manager of engineers','');
INSERT INTO "approvers" VALUES(1019,1,'grace','manager of engineers','');
INSERT INTO "approvers" VALUES(1020,1,'grace','manager of engineers','');
INSERT INTO "approvers" VALUES(1021,1,'grace','manager of engineers','');
CREATE TABLE events (
	version INTEGER NOT NULL, 
	approval_id INTEGER, 
	kind VARCHAR(32) NOT NULL, 
	at DATETIME NOT NULL, 
	who VARCHAR(200) NOT NULL, 
	channel VARCHAR(32) NOT NULL, 
	words TEXT NOT NULL, 
	proof JSON NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "events" VALUES(1,NULL,'policy_applied','2026-11-28 20:38:14.539262','operator:operator','','policy version 1','{}');
INSERT INTO "events" VALUES(2,NULL,'token_created','2026-11-28 20:38:18.951966','operator:operator','','token 2ccd4f2ee3af of person ada','{"token": "2ccd4f2ee3af"}');
INSERT INTO "events" VALUES(3,NULL,'token_created','2026-11-28 20:38:23.876948','operator:operator','','token fbc14dc0d862 of person grace','{"token": "fbc14dc0d862"}');
INSERT INTO "events" VALUES(4,NULL,'token_created','2026-11-28 20:38:27.440633','operator:operator','','token ad86104eb0c2 of person heidi','{"token": "ad86104eb0c2"}');
INSERT INTO "events" VALUES(5,NULL,'token_created','2026-11-28 20:38:30.555814','operator:operator','','token c1028cefd38c of person alice','{"token": "c1028cefd38c"}');
INSERT INTO "events" VALUES(6,NULL,'token_created','2026-11-28 20:38:33.077384','operator:operator','','token 02654aa93bb2 of person bob','{"token": "02654aa93bb2"}');
INSERT INTO "events" VALUES(7,NULL,'token_created','2026-11-28 20:38:35.601924','operator:operator','','token 842308e73030 of person carol','{"token": "842308e73030"}');
INSERT INTO "events" VALUES(8,NULL,'token_created','2026-11-28 20:38:38.652562','operator:operator','','token 96a53db34ddf of person dave','{"token": "96a53db34ddf"}');
INSERT INTO "events" VALUES(9,NULL,'token_created','2026-11-28 20:38:41.320142','operator:operator','','token 20edca11b4c5 of gateway bastion','{"token": "20edca11b4c5"}');
INSERT INTO "events" VALUES(10,1001,'opened','2026-11-28 20:38:56.052634','alice','','managerial approval is required by engineers','{}');
INSERT INTO "events" VALUES(11,1001,'level_started','2026-11-28 20:38:56.052634','countersign','','level 1 of 1','{}');
INSERT INTO "events" VALUES(12,1001,'noticed','2026-11-28 20:38:56.219552','grace','email','asked','{"reference": "<1001.1.a1\u2026.asked.nqvgahgnrknu56qx@example.test>"}');
INSERT INTO "events" VALUES(13,1002,'opened','2026-11-28 20:38:56.369360','alice','','managerial approval is required by engineers','{}');
INSERT INTO "events" VALUES(14,1001,'answered','2026-11-28 20:38:56.354434','grace','email','approved','{"answer": "ae22516f83a54941ad38c555a1664b6d"}');
INSERT INTO "events" VALUES(15,1001,'approved','2026-11-28 20:38:56.354434','grace','email','Approved by Grace Gray.','{}');
INSERT INTO "events" VALUES(16,1001,'granted','2026-11-28 20:38:56.354434','alice','','until Sat 28 Nov 2026, 20:39 UTC','{}');
INSERT INTO "events" VALUES(17,1002,'level_started','2026-11-28 20:38:56.369360','countersign','','level 1 of 1','{}');
INSERT INTO "events" VALUES(18,1001,'noticed','2026-11-28 20:38:56.483137','alice','email','settled','{"reference": "<1001.settled.kkqewtgym4gme5lx@example.test>"}');
INSERT INTO "events" VALUES(19,1001,'noticed','2026-11-28 20:38:56.505690','grace','email','settled','{"reference": "<1001.1.a1\u2026.settled.qlu7jul4bdorli5j@example.test>"}');
INSERT INTO "events" VALUES(20,1002,'noticed','2026-11-28 20:38:56.590841','grace','email','asked','{"reference": "<1002.1.a1\u2026.asked.puirmyaewf45rvyx@example.test>"}');
INSERT INTO "events" VALUES(21,1003,'opened','2026-11-28 20:38:56.688658','alice','','approval workflow Engineers to databases','{}');
INSERT INTO "events" VALUES(22,1003,'level_started','2026-11-28 20:38:56.688658','countersign','','level 1 of 2','{}');
INSERT INTO "events" VALUES(23,1003,'noticed','2026-11-28 20:38:56.724415','grace','email','asked','{"reference": "<1003.1.a1\u2026.asked.widtfcku325kyrvo@example.test>"}');
INSERT INTO "events" VALUES(24,1004,'opened','2026-11-28 20:38:56.785972','alice','','approval workflow Engineers to databases','{}');
INSERT INTO "events" VALUES(25,1004,'level_started','2026-11-28 20:38:56.785972','countersign','','level 1 of 2','{}');
INSERT INTO "events" VALUES(26,1004,'noticed','2026-11-28 20:38:56.822260','grace','email','asked','{"reference": "<1004.1.a1\u2026.asked.cixqmjtuiwdtidfs@example.test>"}');
INSERT INTO "events" VALUES(27,1004,'answered','2026-11-28 20:38:57.025288','grace','email','approved: Good luck.','{"answer": "a31b13cab68d41b0b87e190cbd60e4ef"}');
INSERT INTO "events" VALUES(28,1005,'opened','2026-11-28 20:38:57.081402','bob','','approval workflow Engineers to databases','{}');
INSERT INTO "events" VALUES(29,1005,'level_started','2026-11-28 20:38:57.099424','countersign','','level 1 of 2','{}');
INSERT INTO "events" VALUES(30,1004,'level_started','2026-11-28 20:38:57.087605','countersign','','level 2 of 2','{}');
INSERT INTO "events" VALUES(31,1005,'noticed','2026-11-28 20:38:57.209095','grace','email','asked','{"reference": "<1005.1.a1\u2026.asked.p7rhzrngmy4nikm4@example.test>"}');
INSERT INTO "events" VALUES(32,1004,'noticed','2026-11-28 20:38:57.231490','heidi','email','asked','{"reference": "<1004.2.a1\u2026.asked.lrxkx5bxwplpygr7@example.test>"}');
INSERT INTO "events" VALUES(33,1004,'noticed','2026-11-28 20:38:57.258013','ivan','email','asked','{"reference": "<1004.2.a1\u2026.asked.vmodba6f43ierdos@example.test>"}');
INSERT INTO "events" VALUES(34,1004,'noticed','2026-11-28 20:38:57.272858','ada','email','asked','{"reference": "<1004.2.a1\u2026.asked.momnjbwm7kqi2qgz@example.test>"}');
INSERT INTO "events" VALUES(35,1005,'answered','2026-11-28 20:38:57.287334','grace','portal','approved: go on','{"answer": "a0739ea7b51e49e18e6ba7a12590fee0"}');
INSERT INTO "events" VALUES(36,1005,'level_started','2026-11-28 20:38:57.294686','countersign','','level 2 of 2','{}');
INSERT INTO "events" VALUES(37,1005,'noticed','2026-11-28 20:38:57.338084','heidi','email','asked','{"reference": "<1005.2.a1\u2026.asked.lt2o75af27xsu75t@example.test>"}');
INSERT INTO "events" VALUES(38,1005,'noticed','2026-11-28 20:38:57.357665','ivan','email','asked','{"reference": "<1005.2.a1\u2026.asked.n2gsb7epcchjovtt@example.test>"}');
INSERT INTO "events" VALUES(39,1005,'noticed','2026-11-28 20:38:57.366320','ada','email','asked','{"reference": "<1005.2.a1\u2026.asked.gqadzeeuhdx5g6ms@example.test>"}');
INSERT INTO "events" VALUES(40,1005,'answered','2026-11-28 20:38:57.450853','heidi','portal','approved','{"answer": "f0747fda2750463484fd1aa8eb9548f5"}');
INSERT INTO "events" VALUES(41,1006,'opened','2026-11-28 20:38:57.627031','alice','','managerial approval is required by engineers','{}');
INSERT INTO "events" VALUES(42,1006,'level_started','2026-11-28 20:38:57.627031','countersign','','level 1 of 1','{}');
INSERT INTO "events" VALUES(43,1006,'noticed','2026-11-28 20:38:57.668497','grace','email','asked','{"reference": "<1006.1.a1\u2026.asked.t2y25juzttjdqzbe@example.test>"}');
INSERT INTO "events" VALUES(44,1007,'opened','2026-11-28 20:38:57.737372','bob','','managerial approval is required by engineers','{}');
INSERT INTO "events" VALUES(45,1007,'level_started','2026-11-28 20:38:57.737372','countersign','','level 1 of 1','{}');
INSERT INTO "events" VALUES(46,1007,'noticed','2026-11-28 20:38:57.758833','grace','email','asked','{"reference": "<1007.1.a1\u2026.asked.drtrrp2gpjt36dqx@example.test>"}');
INSERT INTO "events" VALUES(47,1007,'asked_again','2026-11-28 20:38:57.815188','bob','','while it was open','{"reason": "deploy again"}');
INSERT INTO "events" VALUES(48,1007,'answer_refused','2026-11-28 20:38:57.937008','bob','portal','Nobody may decide on their own request.','{"answer": "470f67aa58334e4081a3a394c0a2ed1c", "verdict": "approve", "token": "02654aa93bb2"}');
INSERT INTO "events" VALUES(49,1006,'answered','2026-11-28 20:38:57.998805','grace','portal','approved: fine with me','{"answer": "1d282790c844458cbfd1fb9704aeae10"}');
INSERT INTO "events" VALUES(50,1006,'approved','2026-11-28 20:38:57.998805','grace','portal','Approved by Grace Gray.','{}');
INSERT INTO "events" VALUES(51,1006,'granted','2026-11-28 20:38:57.998805','alice','','until Mon 29 Nov 2027, 20:38 UTC','{}');
INSERT INTO "events" VALUES(52,1006,'noticed','2026-11-28 20:38:58.086114','alice','email','settled','{"reference": "<1006.settled.dljrg6t5a7vk2tns@example.test>"}');
INSERT INTO "events" VALUES(53,1006,'noticed','2026-11-28 20:38:58.110036','grace','email','settled','{"reference": "<1006.1.a1\u2026.settled.xnwf44hyd6i7inau@example.test>"}');
INSERT INTO "events" VALUES(54,1007,'answered','2026-11-28 20:38:58.186884','grace','portal','approved','{"answer": "2794befb6df04948b048fe98bbb79d8e"}');
INSERT INTO "events" VALUES(55,1007,'approved','2026-11-28 20:38:58.186884','grace','portal','Approved by Grace Gray.','{}');
INSERT INTO "events" VALUES(56,1007,'granted','2026-11-28 20:38:58.186884','bob','','until Mon 29 Nov 2027, 20:38 UTC','{}');
INSERT INTO "events" VALUES(57,1007,'noticed','2026-11-28 20:38:58.322708','bob','email','settled','{"reference": "<1007.settled.xivrcwchwmy2pwxv@example.test>"}');
INSERT INTO "events" VALUES(58,1007,'noticed','2026-11-28 20:38:58.371560','grace','email','settled','{"reference": "<1007.1.a1\u2026.settled.zi7zf6xy77cuj3w6@example.test>"}');
INSERT INTO "events" VALUES(59,1006,'asked_again','2026-11-28 20:38:58.444688','alice','','The grant of #1006 lasts until Mon 29 Nov 2027, 20:38 UTC.','{"reason": "deploy"}');
INSERT INTO "events" VALUES(60,1007,'grant_revoked','2026-11-28 20:38:58.508952','grace','portal','Revoked by Grace Gray: that is enough','{"wish": "a4a9bd0d31b149b5a710a0f0ceac8a4d"}');
INSERT INTO "events" VALUES(61,1007,'noticed','2026-11-28 20:38:58.653966','bob','email','grant_ended','{"reference": "<1007.grant_ended.eifxtwyckxrntmto@example.test>"}');
INSERT INTO "events" VALUES(62,1007,'noticed','2026-11-28 20:38:58.685629','grace','email','grant_ended','{"reference": "<1007.1.a1\u2026.grant_ended.arzrrldvt4zwi5hb@example.test>"}');
INSERT INTO "events" VALUES(63,1008,'opened','2026-11-28 20:38:58.752152','alice','','managerial approval is required by engineers','{}');
INSERT INTO "events" VALUES(64,1008,'level_started','2026-11-28 20:38:58.752152','countersign','','level 1 of 1','{}');
INSERT INTO "events" VALUES(65,1008,'noticed','2026-11-28 20:38:58.772687','grace','email','asked','{"reference": "<1008.1.a1\u2026.asked.chxx46r244x7mqew@example.test>"}');
INSERT INTO "events" VALUES(66,1008,'answered','2026-11-28 20:38:58.797580','grace','portal','rejected: not today','{"answer": "8410cf762a004784bc7b1b63d6c70daf"}');
INSERT INTO "events" VALUES(67,1008,'rejected','2026-11-28 20:38:58.797580','grace','portal','Rejected by Grace Gray: not today','{}');
INSERT INTO "events" VALUES(68,1008,'noticed','2026-11-28 20:38:58.871033','alice','email','settled','{"reference": "<1008.settled.niwnim5ndtmzysvd@example.test>"}');
INSERT INTO "events" VALUES(69,1008,'noticed','2026-11-28 20:38:58.899533','grace','email','settled','{"reference": "<1008.1.a1\u2026.settled.5oejawqejzwhfqri@example.test>"}');
INSERT INTO "events" VALUES(70,1009,'opened','2026-11-28 20:38:59.019548','bob','','managerial approval is required by engineers','{}');
INSERT INTO "events" VALUES(71,1009,'level_started','2026-11-28 20:38:59.019548','countersign','','level 1 of 1','{}');
INSERT INTO "events" VALUES(72,1009,'noticed','2026-11-28 20:38:59.097995','grace','email','asked','{"reference": "<1009.1.a1\u2026.asked.x6tqa36xq6rrjn6d@example.test>"}');
INSERT INTO "events" VALUES(73,1009,'cancelled','2026-11-28 20:38:59.179878','bob','portal','Cancelled by Bob Baker: not needed','{"wish": "dd49f36c2e234925847381560f19ce89"}');
INSERT INTO "events" VALUES(74,1009,'noticed','2026-11-28 20:38:59.215635','bob','email','settled','{"reference": "<1009.settled.nd5lkhpa6mmi6jci@example.test>"}');
INSERT INTO "events" VALUES(75,1009,'noticed','2026-11-28 20:38:59.232382','grace','email','settled','{"reference": "<1009.1.a1\u2026.settled.ips4bointqahzkii@example.test>"}');
INSERT INTO "events" VALUES(76,1010,'opened','2026-11-28 20:38:59.346929','ada','','for bob: managerial approval is required by engineers','{}');
INSERT INTO "events" VALUES(77,1010,'level_started','2026-11-28 20:38:59.346929','countersign','','level 1 of 1','{}');
INSERT INTO "events" VALUES(78,1010,'noticed','2026-11-28 20:38:59.398925','bob','email','opened','{"reference": "<1010.opened.qmjkizsl6esadxuu@example.test>"}');
INSERT INTO "events" VALUES(79,1010,'noticed','2026-11-28 20:38:59.441964','grace','email','asked','{"reference": "<1010.1.a1\u2026.asked.fyhlx24i4gjtucpp@example.test>"}');
INSERT INTO "events" VALUES(80,1011,'opened','2026-11-28 20:38:59.564648','gateway:bastion','','for carol: nobody requires approval','{}');
INSERT INTO "events" VALUES(81,1011,'approved','2026-11-28 20:38:59.564648','countersign','','Approved at once: nobody requires approval.','{}');
INSERT INTO "events" VALUES(82,1011,'granted','2026-11-28 20:38:59.564648','carol','','until Sun 29 Nov 2026, 06:38 UTC','{}');
INSERT INTO "events" VALUES(83,1011,'noticed','2026-11-28 20:38:59.656749','carol','email','settled','{"reference": "<1011.settled.4pfrb3k6jojfkkd4@example.test>"}');
INSERT INTO "events" VALUES(84,1012,'opened','2026-11-28 20:38:59.708373','gateway:bastion','','for carol: nobody requires approval','{}');
INSERT INTO "events" VALUES(85,1012,'approved','2026-11-28 20:38:59.708373','countersign','','Approved at once: nobody requires approval.','{}');
INSERT INTO "events" VALUES(86,1012,'granted','2026-11-28 20:38:59.708373','carol','','until Sat 28 Nov 2026, 21:08 UTC','{}');
INSERT INTO "events" VALUES(87,1012,'noticed','2026-11-28 20:38:59.742685','carol','email','settled','{"reference": "<1012.settled.nqmk2txsfp6e6kxs@example.test>"}');
INSERT INTO "events" VALUES(88,1012,'grant_ended','2026-11-28 20:38:59.780523','carol','portal','Given back by Carol Clark: done','{"wish": "7231b5a095e7482cb8a2acb4bf33c290"}');
INSERT INTO "events" VALUES(89,1012,'noticed','2026-11-28 20:38:59.806743','carol','email','grant_ended','{"reference": "<1012.grant_ended.l4aifmtavzsgc47z@example.test>"}');
INSERT INTO "events" VALUES(90,1013,'opened','2026-11-28 20:38:59.869468','alice','','managerial approval is required by engineers','{}');
INSERT INTO "events" VALUES(91,1013,'level_started','2026-11-28 20:38:59.869599','countersign','','level 1 of 1','{}');
INSERT INTO "events" VALUES(92,1013,'noticed','2026-11-28 20:38:59.955131','grace','email','asked','{"reference": "<1013.1.a1\u2026.asked.eb76maxhd3gqollu@example.test>"}');
INSERT INTO "events" VALUES(93,1014,'opened','2026-11-28 20:39:00.449744','alice','','managerial approval is required by engineers','{}');
INSERT INTO "events" VALUES(94,1014,'level_started','2026-11-28 20:39:00.449744','countersign','','level 1 of 1','{}');
INSERT INTO "events" VALUES(95,1013,'answered','2026-11-28 20:39:00.519583','grace','email','rejected: Ask again on Monday, please.','{"answer": "734bfc72ceeb494ead4a7226ab7a0b9d"}');
INSERT INTO "events" VALUES(96,1013,'rejected','2026-11-28 20:39:00.519583','grace','email','Rejected by Grace Gray: Ask again on Monday, please.','{}');
INSERT INTO "events" VALUES(97,1014,'noticed','2026-11-28 20:39:00.591497','grace','email','asked','{"reference": "<1014.1.a1\u2026.asked.hkbg4lbhjym5ytrh@example.test>"}');
INSERT INTO "events" VALUES(98,1013,'noticed','2026-11-28 20:39:00.636112','alice','email','settled','{"reference": "<1013.settled.rembqwpx6zpqolch@example.test>"}');
INSERT INTO "events" VALUES(99,1013,'noticed','2026-11-28 20:39:00.687929','grace','email','settled','{"reference": "<1013.1.a1\u2026.settled.p72v2zjg3h4tvwgq@example.test>"}');
INSERT INTO "events" VALUES(100,1014,'away','2026-11-28 20:39:01.006113','grace','','Automatic reply: Countersign - Connection Approval Notification - #1014','{}');
INSERT INTO "events" VALUES(101,1014,'answer_refused','2026-11-28 20:39:01.030362','grace','email','An automatic reply is no answer: Auto-Submitted says so (RFC 3834).','{"source": "<179589834089.8322.6538194898800160237@example.test>", "message_id": "<179589834089.8322.6538194898800160237@example.test>", "sender": "grace@example.test", "code": "auto_reply", "check 1: well formed": "passed: nothing against it", "check 2: by a person": "FAILED: auto_reply", "check 3: one sender": "passed: grace@example.test", "check 4: authentic": "passed: dmarc=pass header.from=example.test", "check 5: known sender": "passed: grace", "check 6: names one request": "passed: #1014", "check 7: own copy": "passed: a token of grace", "check 8: written to us": "passed: countersign+1014-1-a1\u2026@example.test", "check 9: subject names it": "passed: Automatic reply: Countersign - Connection Approval Notification - #1014", "check 10: sent by themselves": "passed: nothing against it", "check 11: not forwarded": "passed: nothing against it", "check 12: has text": "passed: nothing against it", "check 13: nothing disguised": "passed: nothing against it", "check 14: one answer only": "passed: nothing against it", "check 15: answers plainly": "FAILED: none", "check 16: still waiting": "passed: Waiting", "check 17: this level": "passed: level 1, asked now: any"}');
INSERT INTO "events" VALUES(102,1015,'opened','2026-11-28 20:39:01.069901','alice','','managerial approval is required by engineers','{}');
INSERT INTO "events" VALUES(103,1015,'level_started','2026-11-28 20:39:01.069901','countersign','','level 1 of 1','{}');
INSERT INTO "events" VALUES(104,1015,'noticed','2026-11-28 20:39:01.182227','grace','email','asked','{"reference": "<1015.1.a1\u2026.asked.zwtdyhhhob6vmfr6@example.test>"}');
INSERT INTO "events" VALUES(105,1015,'answer_refused','2026-11-28 20:39:01.616361','grace','email','The first line of the mail, or the sentence it begins, limits or turns the answer, so it is none. It reads "Let me think about it.".','{"source": "<179589834150.8322.12383844875908488471@example.test>", "message_id": "<179589834150.8322.12383844875908488471@example.test>", "sender": "grace@example.test", "code": "turned", "check 1: well formed": "passed: nothing against it", "check 2: by a person": "passed: nothing against it", "check 3: one sender": "passed: grace@example.test", "check 4: authentic": "passed: dmarc=pass header.from=example.test", "check 5: known sender": "passed: grace", "check 6: names one request": "passed: #1015", "check 7: own copy": "passed: a token of grace", "check 8: written to us": "passed: countersign+1015-1-a1\u2026@example.test", "check 9: subject names it": "passed: Re: Countersign - Connection Approval Notification - #1015", "check 10: sent by themselves": "passed: nothing against it", "check 11: not forwarded": "passed: nothing against it", "check 12: has text": "passed: nothing against it", "check 13: nothing disguised": "passed: nothing against it", "check 14: one answer only": "passed: nothing against it", "check 15: answers plainly": "FAILED: none", "check 16: still waiting": "passed: Waiting", "check 17: this level": "passed: level 1, asked now: any"}');
INSERT INTO "events" VALUES(106,1016,'opened','2026-11-28 20:39:01.648611','dave','','managerial approval is required by engineers','{}');
INSERT INTO "events" VALUES(107,1016,'level_started','2026-11-28 20:39:01.648611','countersign','','level 1 of 1','{}');
INSERT INTO "events" VALUES(108,1015,'noticed','2026-11-28 20:39:01.752227','grace','email','help','{"reference": "<1015.1.a1\u2026.help.so2t43sbltjppmjm@example.test>"}');
INSERT INTO "events" VALUES(109,1016,'noticed','2026-11-28 20:39:01.772169','grace','email','asked','{"reference": "<1016.1.a1\u2026.asked.cipcdnxhsvfmrww2@example.test>"}');
INSERT INTO "events" VALUES(110,1017,'opened','2026-11-28 20:39:01.819754','dave','','managerial approval is required by engineers','{}');
INSERT INTO "events" VALUES(111,1017,'level_started','2026-11-28 20:39:01.819754','countersign','','level 1 of 1','{}');
INSERT INTO "events" VALUES(112,1017,'noticed','2026-11-28 20:39:01.874770','grace','email','asked','{"reference": "<1017.1.a1\u2026.asked.43nvb3wy2dvv7gct@example.test>"}');
INSERT INTO "events" VALUES(113,1016,'answered','2026-11-28 20:39:01.897454','grace','portal','approved','{"answer": "47b6f52812484eb8b55071caf88dd1b0"}');
INSERT INTO "events" VALUES(114,1016,'approved','2026-11-28 20:39:01.897454','grace','portal','Approved by Grace Gray.','{}');
INSERT INTO "events" VALUES(115,1016,'granted','2026-11-28 20:39:01.897454','dave','','until Mon 29 Nov 2027, 20:39 UTC','{}');
INSERT INTO "events" VALUES(116,1016,'noticed','2026-11-28 20:39:01.966109','dave','email','settled','{"reference": "<1016.settled.ex7qbbszzwf6zc2u@example.test>"}');
INSERT INTO "events" VALUES(117,1016,'noticed','2026-11-28 20:39:01.974880','grace','email','settled','{"reference": "<1016.1.a1\u2026.settled.q6rsf2q76gzjr7lr@example.test>"}');
INSERT INTO "events" VALUES(118,NULL,'policy_applied','2026-11-28 20:39:02.016089','ada','','policy version 2','{}');
INSERT INTO "events" VALUES(119,1016,'grant_revoked','2026-11-28 20:39:02.050607','countersign','','Revoked by countersign: The requester is disabled in policy version 2.','{}');
INSERT INTO "events" VALUES(120,1016,'noticed','2026-11-28 20:39:02.078780','dave','email','grant_ended','{"reference": "<1016.grant_ended.l2okwt5isc5455ed@example.test>"}');
INSERT INTO "events" VALUES(121,1016,'noticed','2026-11-28 20:39:02.089928','grace','email','grant_ended','{"reference": "<1016.1.a1\u2026.grant_ended.xjfbcr6i6s4uhbdy@example.test>"}');
INSERT INTO "events" VALUES(122,1017,'cancelled','2026-11-28 20:39:02.095268','countersign','','Cancelled by countersign: The requester is disabled in policy version 2.','{}');
INSERT INTO "events" VALUES(123,1014,'fallback','2026-11-28 20:39:02.094677','ada','','grace is out of office','{}');
INSERT INTO "events" VALUES(124,1014,'fallback','2026-11-28 20:39:02.094677','judy','','grace is out of office','{}');
INSERT INTO "events" VALUES(125,1017,'noticed','2026-11-28 20:39:02.235971','dave','email','settled','{"reference": "<1017.settled.3shgh7n6c4bwyxka@example.test>"}');
INSERT INTO "events" VALUES(126,1017,'noticed','2026-11-28 20:39:02.256836','grace','email','settled','{"reference": "<1017.1.a1\u2026.settled.aucgkkq3ih6ilrcd@example.test>"}');
INSERT INTO "events" VALUES(127,1014,'noticed','2026-11-28 20:39:02.321597','ada','email','asked','{"reference": "<1014.1.a1\u2026.asked.riagqnmf34qg2q6s@example.test>"}');
INSERT INTO "events" VALUES(128,1014,'noticed','2026-11-28 20:39:02.378093','judy','email','asked','{"reference": "<1014.1.a1\u2026.asked.edoze2uia3msuir3@example.test>"}');
INSERT INTO "events" VALUES(129,1018,'opened','2026-11-28 20:39:02.415438','alice','','managerial approval is required by engineers','{}');
INSERT INTO "events" VALUES(130,1018,'level_started','2026-11-28 20:39:02.415438','countersign','','level 1 of 1','{}');
INSERT INTO "events" VALUES(131,1018,'noticed','2026-11-28 20:39:02.472169','grace','email','asked','{"reference": "<1018.1.a1\u2026.asked.3ictfvzsmq3mf2m6@example.test>"}');
INSERT INTO "events" VALUES(132,1018,'noticed','2026-11-28 20:39:02.648564','alice','slack','opened','{"reference": "DMX0VI5OW11/1795898342.000001"}');
INSERT INTO "events" VALUES(133,1018,'noticed','2026-11-28 20:39:02.653374','grace','slack','asked','{"reference": "DMX0VI5PN13/1795898342.000002"}');
INSERT INTO "events" VALUES(134,1019,'opened','2026-11-28 20:39:02.686419','alice','','managerial approval is required by engineers','{}');
INSERT INTO "events" VALUES(135,1019,'level_started','2026-11-28 20:39:02.686419','countersign','','level 1 of 1','{}');
INSERT INTO "events" VALUES(136,1019,'noticed','2026-11-28 20:39:02.763173','alice','slack','opened','{"reference": "DMX0VI5OW11/1795898342.000003"}');
INSERT INTO "events" VALUES(137,1019,'noticed','2026-11-28 20:39:02.798412','grace','slack','asked','{"reference": "DMX0VI5PN13/1795898342.000004"}');
INSERT INTO "events" VALUES(138,1019,'noticed','2026-11-28 20:39:02.798412','grace','email','asked','{"reference": "<1019.1.a1\u2026.asked.bm6ofqmnxr44nlq5@example.test>"}');
INSERT INTO "events" VALUES(139,1020,'opened','2026-11-28 20:39:02.866571','alice','','managerial approval is required by engineers','{}');
INSERT INTO "events" VALUES(140,1020,'level_started','2026-11-28 20:39:02.866571','countersign','','level 1 of 1','{}');
INSERT INTO "events" VALUES(141,1020,'noticed','2026-11-28 20:39:02.903162','alice','slack','opened','{"reference": "DMX0VI5OW11/1795898342.000005"}');
INSERT INTO "events" VALUES(142,1020,'noticed','2026-11-28 20:39:02.913568','#C01ROOM','slack','asked','{"reference": "C01ROOM/1795898342.000006"}');
INSERT INTO "events" VALUES(143,1019,'answered','2026-11-28 20:39:02.998664','grace','slack','approved','{"answer": "f41b757f98c84a7cb0bbd955bd194891"}');
INSERT INTO "events" VALUES(144,1019,'approved','2026-11-28 20:39:02.998664','grace','slack','Approved by Grace Gray.','{}');
INSERT INTO "events" VALUES(145,1019,'granted','2026-11-28 20:39:02.998664','alice','','until Mon 29 Nov 2027, 20:39 UTC','{}');
INSERT INTO "events" VALUES(146,1019,'noticed','2026-11-28 20:39:03.113656','grace','slack','settled','{"reference": "DMX0VI5PN13/1795898342.000004"}');
INSERT INTO "events" VALUES(147,1019,'noticed','2026-11-28 20:39:03.128994','alice','email','settled','{"reference": "<1019.settled.wsydpboevhnev52b@example.test>"}');
INSERT INTO "events" VALUES(148,1019,'noticed','2026-11-28 20:39:03.242133','grace','email','settled','{"reference": "<1019.1.a1\u2026.settled.fqyfh36b6wpw2efg@example.test>"}');
INSERT INTO "events" VALUES(149,1019,'noticed','2026-11-28 20:39:03.572771','alice','slack','settled','{"reference": "DMX0VI5OW11/1795898342.000003"}');
INSERT INTO "events" VALUES(150,1001,'grant_ended','2026-11-28 20:39:56.360260','the clock','','Its time is over.','{}');
INSERT INTO "events" VALUES(151,1001,'noticed','2026-11-28 20:39:56.395075','alice','email','grant_ended','{"reference": "<1001.grant_ended.rwmdq5kqottrmkxd@example.test>"}');
INSERT INTO "events" VALUES(152,1002,'expired','2026-11-28 20:40:02.547972','countersign','','Nobody decided by Sat 28 Nov 2026, 20:39 UTC.','{}');
INSERT INTO "events" VALUES(153,1002,'noticed','2026-11-28 20:40:02.606057','alice','email','settled','{"reference": "<1002.settled.grzmeiphh25mijiq@example.test>"}');
INSERT INTO "events" VALUES(154,1021,'opened','2026-11-28 20:40:02.673950','alice','','approval workflow Engineers to databases','{}');
INSERT INTO "events" VALUES(155,1021,'level_started','2026-11-28 20:40:02.674988','countersign','','level 1 of 2','{}');
CREATE TABLE feed (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "feed" VALUES(155);
CREATE TABLE grants (
	approval_id INTEGER NOT NULL, 
	requester VARCHAR(128) NOT NULL, 
	device VARCHAR(128) NOT NULL, 
	protocol VARCHAR(16) NOT NULL, 
	source_address VARCHAR(64) NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	starts_at DATETIME NOT NULL, 
	ends_at DATETIME NOT NULL, 
	ended_at DATETIME, 
	words TEXT NOT NULL, revoke_for VARCHAR(200) DEFAULT '' NOT NULL, revoke_words TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (approval_id), 
	FOREIGN KEY(approval_id) REFERENCES requests (approval_id)
);
INSERT INTO "grants" VALUES(1001,'alice','brief-1','ssh','','Ended','2026-11-28 20:38:56.354434','2026-11-28 20:39:56.354434','2026-11-28 20:39:56.360260','Its time is over.','','');
INSERT INTO "grants" VALUES(1006,'alice','web-1','ssh','','Active','2026-11-28 20:38:57.998805','2027-11-29 20:38:57.998805',NULL,'','','');
INSERT INTO "grants" VALUES(1007,'bob','web-2','ssh','','Revoked','2026-11-28 20:38:58.186884','2027-11-29 20:38:58.186884','2026-11-28 20:38:58.508952','Revoked by Grace Gray: that is enough','','');
INSERT INTO "grants" VALUES(1011,'carol','lab-1','ssh','192.0.2.7','Active','2026-11-28 20:38:59.564648','2026-11-29 06:38:59.564648',NULL,'','','');
INSERT INTO "grants" VALUES(1012,'carol','lab-2','ssh','192.0.2.7','Ended','2026-11-28 20:38:59.708373','2026-11-28 21:08:59.708373','2026-11-28 20:38:59.780523','Given back by Carol Clark: done','','');
INSERT INTO "grants" VALUES(1016,'dave','web-8','ssh','','Revoked','2026-11-28 20:39:01.897454','2027-11-29 20:39:01.897454','2026-11-28 20:39:02.050607','Revoked by countersign: The requester is disabled in policy version 2.','','');
INSERT INTO "grants" VALUES(1019,'alice','chat-2','ssh','','Active','2026-11-28 20:39:02.998664','2027-11-29 20:39:02.998664',NULL,'','','');
CREATE TABLE idempotency (
	token_id VARCHAR(16) NOT NULL, 
	"key" VARCHAR(200) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	reply JSON, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (token_id, "key")
);
INSERT INTO "idempotency" VALUES('20edca11b4c5','connection-lab-1','91b48e485ec1dac8e5ec18bceb076506918207e4f831da72d496fb2ddce4c610','{"status": 201, "body": {"approval_id": 1011, "status": "Approved", "joined": false, "words": "Approved at once: nobody requires approval.", "grant": {"approval_id": 1011, "status": "Active", "starts_at": "2026-11-28T20:38:59.564648Z", "ends_at": "2026-11-29T06:38:59.564648Z", "ended_at": null, "source_address": "192.0.2.7", "same_source_address": true, "words": ""}, "reason": "", "ticket": "", "minutes": 600, "source_address": "192.0.2.7"}, "location": "/api/v1/requests/1011"}','2026-11-28 20:38:59.510536');
INSERT INTO "idempotency" VALUES('20edca11b4c5','connection-lab-2','8fffd3aed3b4d321895f583d7280c9da195e1acb3d5e675246dece609e730105','{"status": 201, "body": {"approval_id": 1012, "status": "Approved", "joined": false, "words": "Approved at once: nobody requires approval.", "grant": {"approval_id": 1012, "status": "Active", "starts_at": "2026-11-28T20:38:59.708373Z", "ends_at": "2026-11-28T21:08:59.708373Z", "ended_at": null, "source_address": "192.0.2.7", "same_source_address": true, "words": ""}, "reason": "", "ticket": "", "minutes": 30, "source_address": "192.0.2.7"}, "location": "/api/v1/requests/1012"}','2026-11-28 20:38:59.679239');
CREATE TABLE mailboxes (
	mailbox VARCHAR(200) NOT NULL, 
	read_through DATETIME NOT NULL, looking_since DATETIME, looked_at DATETIME, 
	PRIMARY KEY (mailbox)
);
INSERT INTO "mailboxes" VALUES('countersign@127.0.0.1/INBOX','2026-11-28 20:40:01.897715','2026-11-28 20:38:55.345077','2026-11-28 20:39:00.920866');
CREATE TABLE mails (
	mailbox VARCHAR(200) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	message_id VARCHAR(1000) NOT NULL, 
	uidvalidity BIGINT NOT NULL, 
	uid BIGINT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	why TEXT NOT NULL, 
	claimed_until DATETIME NOT NULL, 
	PRIMARY KEY (mailbox, digest)
);
INSERT INTO "mails" VALUES('countersign@127.0.0.1/INBOX','919cc0f70dbbca5b31973d9a983f94da87faca2db1bf4cd2e904e7b748f7c2a1','<179589833629.8322.3574591087862802798@example.test>',2800380267,101,'handled','','2026-11-28 20:39:26.317087');
INSERT INTO "mails" VALUES('countersign@127.0.0.1/INBOX','61dd147cd4be45b2cbcf6c961681e0639ba98a277e94c31d144fdda69bda6ed9','<179589833699.8322.16765838338722288537@example.test>',2800380267,102,'handled','','2026-11-28 20:39:27.004012');
INSERT INTO "mails" VALUES('countersign@127.0.0.1/INBOX','6bc1f926ba859a72e5a1eb03d32685c870d358d05956c0c6d4eed4f93245d912','<179589834025.8322.13406298418532625598@example.test>',2800380267,103,'handled','','2026-11-28 20:39:30.304016');
INSERT INTO "mails" VALUES('countersign@127.0.0.1/INBOX','5ab641a241a5f42167b7cf966fb008807fb4234aa120d644b9b6b5ba2743b00c','<179589834089.8322.6538194898800160237@example.test>',2800380267,104,'handled','','2026-11-28 20:39:30.946095');
INSERT INTO "mails" VALUES('countersign@127.0.0.1/INBOX','9c786cf013564f53673d2d0e408c0965b1d9476e7bbd2548be619844c35f4cdd','<179589834150.8322.12383844875908488471@example.test>',2800380267,105,'handled','','2026-11-28 20:39:31.562790');
CREATE TABLE notices (
	id VARCHAR(200) NOT NULL, 
	approval_id INTEGER NOT NULL, 
	event VARCHAR(32) NOT NULL, 
	level INTEGER NOT NULL, 
	person VARCHAR(128) NOT NULL, 
	channel VARCHAR(32) NOT NULL, 
	words TEXT NOT NULL, 
	in_reply_to VARCHAR(1000) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	reference VARCHAR(1000) NOT NULL, 
	written_at DATETIME NOT NULL, 
	tries INTEGER NOT NULL, 
	retry_at DATETIME NOT NULL, shows INTEGER, outdated BOOLEAN DEFAULT 0 NOT NULL, held_until DATETIME, unconfirmed INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "notices" VALUES('1001.1.asked.grace.email',1001,'asked',1,'grace','email','','','sent','<1001.1.a1….asked.nqvgahgnrknu56qx@example.test>','2026-11-28 20:38:56.052634',1,'2026-11-28 20:39:06.075069',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1001.2.settled.alice.email',1001,'settled',1,'alice','email','','','sent','<1001.settled.kkqewtgym4gme5lx@example.test>','2026-11-28 20:38:56.354434',1,'2026-11-28 20:39:06.399590',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1001.2.settled.grace.email',1001,'settled',1,'grace','email','','','sent','<1001.1.a1….settled.qlu7jul4bdorli5j@example.test>','2026-11-28 20:38:56.354434',1,'2026-11-28 20:39:06.399590',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1002.1.asked.grace.email',1002,'asked',1,'grace','email','','','sent','<1002.1.a1….asked.puirmyaewf45rvyx@example.test>','2026-11-28 20:38:56.369360',1,'2026-11-28 20:39:06.455081',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1003.1.asked.grace.email',1003,'asked',1,'grace','email','','','sent','<1003.1.a1….asked.widtfcku325kyrvo@example.test>','2026-11-28 20:38:56.688658',1,'2026-11-28 20:39:06.703639',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1004.1.asked.grace.email',1004,'asked',1,'grace','email','','','sent','<1004.1.a1….asked.cixqmjtuiwdtidfs@example.test>','2026-11-28 20:38:56.785972',1,'2026-11-28 20:39:06.797070',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1005.1.asked.grace.email',1005,'asked',1,'grace','email','','','sent','<1005.1.a1….asked.p7rhzrngmy4nikm4@example.test>','2026-11-28 20:38:57.099424',1,'2026-11-28 20:39:07.169769',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1004.3.asked.heidi.email',1004,'asked',2,'heidi','email','','','sent','<1004.2.a1….asked.lrxkx5bxwplpygr7@example.test>','2026-11-28 20:38:57.087605',1,'2026-11-28 20:39:07.183349',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1004.3.asked.ivan.email',1004,'asked',2,'ivan','email','','','sent','<1004.2.a1….asked.vmodba6f43ierdos@example.test>','2026-11-28 20:38:57.087605',1,'2026-11-28 20:39:07.183349',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1004.3.asked.ada.email',1004,'asked',2,'ada','email','','','sent','<1004.2.a1….asked.momnjbwm7kqi2qgz@example.test>','2026-11-28 20:38:57.087605',1,'2026-11-28 20:39:07.183349',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1005.3.asked.heidi.email',1005,'asked',2,'heidi','email','','','sent','<1005.2.a1….asked.lt2o75af27xsu75t@example.test>','2026-11-28 20:38:57.294686',1,'2026-11-28 20:39:07.310327',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1005.3.asked.ivan.email',1005,'asked',2,'ivan','email','','','sent','<1005.2.a1….asked.n2gsb7epcchjovtt@example.test>','2026-11-28 20:38:57.294686',1,'2026-11-28 20:39:07.310327',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1005.3.asked.ada.email',1005,'asked',2,'ada','email','','','sent','<1005.2.a1….asked.gqadzeeuhdx5g6ms@example.test>','2026-11-28 20:38:57.294686',1,'2026-11-28 20:39:07.310327',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1006.1.asked.grace.email',1006,'asked',1,'grace','email','','','sent','<1006.1.a1….asked.t2y25juzttjdqzbe@example.test>','2026-11-28 20:38:57.627031',1,'2026-11-28 20:39:07.659752',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1007.1.asked.grace.email',1007,'asked',1,'grace','email','','','sent','<1007.1.a1….asked.drtrrp2gpjt36dqx@example.test>','2026-11-28 20:38:57.737372',1,'2026-11-28 20:39:07.749792',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1006.2.settled.alice.email',1006,'settled',1,'alice','email','','','sent','<1006.settled.dljrg6t5a7vk2tns@example.test>','2026-11-28 20:38:57.998805',1,'2026-11-28 20:39:08.057647',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1006.2.settled.grace.email',1006,'settled',1,'grace','email','','','sent','<1006.1.a1….settled.xnwf44hyd6i7inau@example.test>','2026-11-28 20:38:57.998805',1,'2026-11-28 20:39:08.057647',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1007.2.settled.bob.email',1007,'settled',1,'bob','email','','','sent','<1007.settled.xivrcwchwmy2pwxv@example.test>','2026-11-28 20:38:58.186884',1,'2026-11-28 20:39:08.273707',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1007.2.settled.grace.email',1007,'settled',1,'grace','email','','','sent','<1007.1.a1….settled.zi7zf6xy77cuj3w6@example.test>','2026-11-28 20:38:58.186884',1,'2026-11-28 20:39:08.273707',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1007.1000000.grant_ended.bob.email',1007,'grant_ended',1,'bob','email','Revoked by Grace Gray: that is enough','','sent','<1007.grant_ended.eifxtwyckxrntmto@example.test>','2026-11-28 20:38:58.508952',1,'2026-11-28 20:39:08.565690',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1007.1000000.grant_ended.grace.email',1007,'grant_ended',1,'grace','email','Revoked by Grace Gray: that is enough','','sent','<1007.1.a1….grant_ended.arzrrldvt4zwi5hb@example.test>','2026-11-28 20:38:58.508952',1,'2026-11-28 20:39:08.565690',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1008.1.asked.grace.email',1008,'asked',1,'grace','email','','','sent','<1008.1.a1….asked.chxx46r244x7mqew@example.test>','2026-11-28 20:38:58.752152',1,'2026-11-28 20:39:08.764267',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1008.2.settled.alice.email',1008,'settled',1,'alice','email','','','sent','<1008.settled.niwnim5ndtmzysvd@example.test>','2026-11-28 20:38:58.797580',1,'2026-11-28 20:39:08.830688',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1008.2.settled.grace.email',1008,'settled',1,'grace','email','','','sent','<1008.1.a1….settled.5oejawqejzwhfqri@example.test>','2026-11-28 20:38:58.797580',1,'2026-11-28 20:39:08.830688',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1009.1.asked.grace.email',1009,'asked',1,'grace','email','','','sent','<1009.1.a1….asked.x6tqa36xq6rrjn6d@example.test>','2026-11-28 20:38:59.019548',1,'2026-11-28 20:39:09.065636',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1009.2.settled.bob.email',1009,'settled',1,'bob','email','','','sent','<1009.settled.nd5lkhpa6mmi6jci@example.test>','2026-11-28 20:38:59.179878',1,'2026-11-28 20:39:09.205652',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1009.2.settled.grace.email',1009,'settled',1,'grace','email','','','sent','<1009.1.a1….settled.ips4bointqahzkii@example.test>','2026-11-28 20:38:59.179878',1,'2026-11-28 20:39:09.205652',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1010.1.opened.bob.email',1010,'opened',1,'bob','email','','','sent','<1010.opened.qmjkizsl6esadxuu@example.test>','2026-11-28 20:38:59.346929',1,'2026-11-28 20:39:09.358834',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1010.1.asked.grace.email',1010,'asked',1,'grace','email','','','sent','<1010.1.a1….asked.fyhlx24i4gjtucpp@example.test>','2026-11-28 20:38:59.346929',1,'2026-11-28 20:39:09.358834',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1011.1.settled.carol.email',1011,'settled',0,'carol','email','','','sent','<1011.settled.4pfrb3k6jojfkkd4@example.test>','2026-11-28 20:38:59.564648',1,'2026-11-28 20:39:09.638564',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1012.1.settled.carol.email',1012,'settled',0,'carol','email','','','sent','<1012.settled.nqmk2txsfp6e6kxs@example.test>','2026-11-28 20:38:59.708373',1,'2026-11-28 20:39:09.733860',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1012.1000000.grant_ended.carol.email',1012,'grant_ended',0,'carol','email','Given back by Carol Clark: done','','sent','<1012.grant_ended.l4aifmtavzsgc47z@example.test>','2026-11-28 20:38:59.780523',1,'2026-11-28 20:39:09.798392',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1013.1.asked.grace.email',1013,'asked',1,'grace','email','','','sent','<1013.1.a1….asked.eb76maxhd3gqollu@example.test>','2026-11-28 20:38:59.869599',1,'2026-11-28 20:39:09.916036',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1014.1.asked.grace.email',1014,'asked',1,'grace','email','','','sent','<1014.1.a1….asked.hkbg4lbhjym5ytrh@example.test>','2026-11-28 20:39:00.449744',1,'2026-11-28 20:39:10.552386',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1013.2.settled.alice.email',1013,'settled',1,'alice','email','','','sent','<1013.settled.rembqwpx6zpqolch@example.test>','2026-11-28 20:39:00.519583',1,'2026-11-28 20:39:10.563738',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1013.2.settled.grace.email',1013,'settled',1,'grace','email','','','sent','<1013.1.a1….settled.p72v2zjg3h4tvwgq@example.test>','2026-11-28 20:39:00.519583',1,'2026-11-28 20:39:10.563738',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1015.1.asked.grace.email',1015,'asked',1,'grace','email','','','sent','<1015.1.a1….asked.zwtdyhhhob6vmfr6@example.test>','2026-11-28 20:39:01.069901',1,'2026-11-28 20:39:11.138176',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1015.0.help.000389d4c3d146b7b6bb80ae762ed78a.email',1015,'help',1,'grace','email','The first line of the mail, or the sentence it begins, limits or turns the answer, so it is none. It reads "Let me think about it.".','<179589834150.8322.12383844875908488471@example.test>','sent','<1015.1.a1….help.so2t43sbltjppmjm@example.test>','2026-11-28 20:39:01.616361',1,'2026-11-28 20:39:11.653277',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1016.1.asked.grace.email',1016,'asked',1,'grace','email','','','sent','<1016.1.a1….asked.cipcdnxhsvfmrww2@example.test>','2026-11-28 20:39:01.648611',1,'2026-11-28 20:39:11.761160',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1017.1.asked.grace.email',1017,'asked',1,'grace','email','','','sent','<1017.1.a1….asked.43nvb3wy2dvv7gct@example.test>','2026-11-28 20:39:01.819754',1,'2026-11-28 20:39:11.852025',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1016.2.settled.dave.email',1016,'settled',1,'dave','email','','','sent','<1016.settled.ex7qbbszzwf6zc2u@example.test>','2026-11-28 20:39:01.897454',1,'2026-11-28 20:39:11.953923',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1016.2.settled.grace.email',1016,'settled',1,'grace','email','','','sent','<1016.1.a1….settled.q6rsf2q76gzjr7lr@example.test>','2026-11-28 20:39:01.897454',1,'2026-11-28 20:39:11.953923',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1016.1000000.grant_ended.dave.email',1016,'grant_ended',1,'dave','email','Revoked by countersign: The requester is disabled in policy version 2.','','sent','<1016.grant_ended.l2okwt5isc5455ed@example.test>','2026-11-28 20:39:02.050607',1,'2026-11-28 20:39:12.070384',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1016.1000000.grant_ended.grace.email',1016,'grant_ended',1,'grace','email','Revoked by countersign: The requester is disabled in policy version 2.','','sent','<1016.1.a1….grant_ended.xjfbcr6i6s4uhbdy@example.test>','2026-11-28 20:39:02.050607',1,'2026-11-28 20:39:12.070384',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1017.2.settled.dave.email',1017,'settled',1,'dave','email','','','sent','<1017.settled.3shgh7n6c4bwyxka@example.test>','2026-11-28 20:39:02.095268',1,'2026-11-28 20:39:12.193825',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1017.2.settled.grace.email',1017,'settled',1,'grace','email','','','sent','<1017.1.a1….settled.aucgkkq3ih6ilrcd@example.test>','2026-11-28 20:39:02.095268',1,'2026-11-28 20:39:12.193825',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1014.2.asked.ada.email',1014,'asked',1,'ada','email','','','sent','<1014.1.a1….asked.riagqnmf34qg2q6s@example.test>','2026-11-28 20:39:02.094677',1,'2026-11-28 20:39:12.218620',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1014.2.asked.judy.email',1014,'asked',1,'judy','email','','','sent','<1014.1.a1….asked.edoze2uia3msuir3@example.test>','2026-11-28 20:39:02.094677',1,'2026-11-28 20:39:12.218620',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1018.1.asked.grace.email',1018,'asked',1,'grace','email','','','sent','<1018.1.a1….asked.3ictfvzsmq3mf2m6@example.test>','2026-11-28 20:39:02.415438',1,'2026-11-28 20:39:12.428906',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1018.1.opened.alice.slack',1018,'opened',1,'alice','slack','','','sent','DMX0VI5OW11/1795898342.000001','2026-11-28 20:39:02.415438',1,'2026-11-28 20:39:12.428906',1,0,NULL,0);
INSERT INTO "notices" VALUES('1018.1.asked.grace.slack',1018,'asked',1,'grace','slack','','','sent','DMX0VI5PN13/1795898342.000002','2026-11-28 20:39:02.415438',1,'2026-11-28 20:39:12.428906',1,0,NULL,0);
INSERT INTO "notices" VALUES('1019.1.asked.grace.email',1019,'asked',1,'grace','email','','','sent','<1019.1.a1….asked.bm6ofqmnxr44nlq5@example.test>','2026-11-28 20:39:02.686419',1,'2026-11-28 20:39:12.725078',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1019.1.opened.alice.slack',1019,'opened',1,'alice','slack','','','sent','DMX0VI5OW11/1795898342.000003','2026-11-28 20:39:02.686419',0,'2026-11-28 20:39:12.725078',2,0,NULL,0);
INSERT INTO "notices" VALUES('1019.1.asked.grace.slack',1019,'asked',1,'grace','slack','','','sent','DMX0VI5PN13/1795898342.000004','2026-11-28 20:39:02.686419',0,'2026-11-28 20:39:12.725078',2,0,NULL,0);
INSERT INTO "notices" VALUES('1020.1.opened.alice.slack',1020,'opened',1,'alice','slack','','','sent','DMX0VI5OW11/1795898342.000005','2026-11-28 20:39:02.866571',1,'2026-11-28 20:39:12.878953',1,0,NULL,0);
INSERT INTO "notices" VALUES('1020.1.asked.#C01ROOM.slack',1020,'asked',1,'#C01ROOM','slack','','','sent','C01ROOM/1795898342.000006','2026-11-28 20:39:02.866571',1,'2026-11-28 20:39:12.878953',1,0,NULL,0);
INSERT INTO "notices" VALUES('1019.2.settled.alice.email',1019,'settled',1,'alice','email','','','sent','<1019.settled.wsydpboevhnev52b@example.test>','2026-11-28 20:39:02.998664',1,'2026-11-28 20:39:13.024660',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1019.2.settled.grace.email',1019,'settled',1,'grace','email','','','sent','<1019.1.a1….settled.fqyfh36b6wpw2efg@example.test>','2026-11-28 20:39:02.998664',1,'2026-11-28 20:39:13.024660',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1019.2.settled.alice.slack',1019,'settled',1,'alice','slack','','','sent','DMX0VI5OW11/1795898342.000003','2026-11-28 20:39:02.998664',1,'2026-11-28 20:39:13.024660',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1019.2.settled.grace.slack',1019,'settled',1,'grace','slack','','','sent','DMX0VI5PN13/1795898342.000004','2026-11-28 20:39:02.998664',1,'2026-11-28 20:39:13.024660',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1001.1000000.grant_ended.alice.email',1001,'grant_ended',1,'alice','email','Its time is over.','','sent','<1001.grant_ended.rwmdq5kqottrmkxd@example.test>','2026-11-28 20:39:56.360260',1,'2026-11-28 20:40:06.385937',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1002.2.settled.alice.email',1002,'settled',1,'alice','email','','','sent','<1002.settled.grzmeiphh25mijiq@example.test>','2026-11-28 20:40:02.547972',1,'2026-11-28 20:40:12.585629',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1002.2.settled.grace.email',1002,'settled',1,'grace','email','','','waiting','','2026-11-28 20:40:02.547972',1,'2026-11-28 20:40:12.612568',NULL,0,NULL,0);
INSERT INTO "notices" VALUES('1021.1.asked.grace.email',1021,'asked',1,'grace','email','','','waiting','','2026-11-28 20:40:02.674988',1,'2026-11-28 20:40:12.745547',NULL,0,NULL,0);
CREATE TABLE policies (
	version INTEGER NOT NULL, 
	text TEXT NOT NULL, 
	document JSON NOT NULL, 
	applied_by VARCHAR(200) NOT NULL, 
	applied_at DATETIME NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "policies" VALUES(1,'# The people and rules of an installation that is upgraded. `dave` is disabled by a later version of it.
users:
  ada: {name: Ada Adams, email: ada@example.test, roles: [admin]}
  grace: {name: Grace Gray, email: grace@example.test}
  heidi: {name: Heidi Huber, email: heidi@example.test}
  ivan: {name: Ivan Ivanov, email: ivan@example.test}
  judy: {name: Judy Jones, email: judy@example.test}
  alice: {name: Alice Ainsworth, email: alice@example.test, line_manager: grace}
  bob: {name: Bob Baker, email: bob@example.test}
  carol: {name: Carol Clark, email: carol@example.test}
  dave: {name: Dave Dunn, email: dave@example.test}  # stays
user_groups:
  engineers: {members: [alice, bob, dave], managers: [grace], require_managerial_approval: true}
  finance: {members: [carol], managers: [heidi]}
device_groups:
  web: {devices: [web-1, web-2, web-3, web-4, web-5, web-6, web-7, web-8, web-9]}
  brief: {devices: [brief-1, brief-2], grant_minutes: 1, approval_status_change_to_expire: 1}
  databases: {devices: [databases-1, databases-2, databases-3, databases-4], managers: [heidi, ivan]}
  lab: {devices: [lab-1, lab-2]}
  chat: {devices: [chat-1, chat-2], channels: {email: decide, slack: decide}}
  room: {devices: [room-1], channels: {email: "off", slack: decide}, rooms: {slack: C01ROOM}}
approval_workflows:
  - name: Engineers to databases
    user_group: engineers
    device_group: databases
    levels:
      - approvers: [{managers_of: engineers}]
      - approvers: [{managers_of: databases}, {user: ada}]
        quorum: 2
fallback_approvers: [ada, judy]
# As long as they may be: what is open on record stays open however late it is read.
approval_status_change_to_expire: 129600
grant_minutes: 527040
','{"users": {"ada": {"name": "Ada Adams", "email": "ada@example.test", "disabled": false, "line_manager": null, "roles": ["admin"]}, "grace": {"name": "Grace Gray", "email": "grace@example.test", "disabled": false, "line_manager": null, "roles": []}, "heidi": {"name": "Heidi Huber", "email": "heidi@example.test", "disabled": false, "line_manager": null, "roles": []}, "ivan": {"name": "Ivan Ivanov", "email": "ivan@example.test", "disabled": false, "line_manager": null, "roles": []}, "judy": {"name": "Judy Jones", "email": "judy@example.test", "disabled": false, "line_manager": null, "roles": []}, "alice": {"name": "Alice Ainsworth", "email": "alice@example.test", "disabled": false, "line_manager": "grace", "roles": []}, "bob": {"name": "Bob Baker", "email": "bob@example.test", "disabled": false, "line_manager": null, "roles": []}, "carol": {"name": "Carol Clark", "email": "carol@example.test", "disabled": false, "line_manager": null, "roles": []}, "dave": {"name": "Dave Dunn", "email": "dave@example.test", "disabled": false, "line_manager": null, "roles": []}}, "user_groups": {"engineers": {"members": ["alice", "bob", "dave"], "managers": ["grace"], "require_managerial_approval": true}, "finance": {"members": ["carol"], "managers": ["heidi"], "require_managerial_approval": false}}, "device_groups": {"web": {"fallback_approvers": null, "approval_status_change_to_expire": null, "grant_minutes": null, "reminder_minutes": null, "channels": {}, "rooms": {}, "rejection_needs_reason": null, "devices": ["web-1", "web-2", "web-3", "web-4", "web-5", "web-6", "web-7", "web-8", "web-9"], "managers": [], "require_managerial_approval": false}, "brief": {"fallback_approvers": null, "approval_status_change_to_expire": 1, "grant_minutes": 1, "reminder_minutes": null, "channels": {}, "rooms": {}, "rejection_needs_reason": null, "devices": ["brief-1", "brief-2"], "managers": [], "require_managerial_approval": false}, "databases": {"fallback_approvers": null, "approval_status_change_to_expire": null, "grant_minutes": null, "reminder_minutes": null, "channels": {}, "rooms": {}, "rejection_needs_reason": null, "devices": ["databases-1", "databases-2", "databases-3", "databases-4"], "managers": ["heidi", "ivan"], "require_managerial_approval": false}, "lab": {"fallback_approvers": null, "approval_status_change_to_expire": null, "grant_minutes": null, "reminder_minutes": null, "channels": {}, "rooms": {}, "rejection_needs_reason": null, "devices": ["lab-1", "lab-2"], "managers": [], "require_managerial_approval": false}, "chat": {"fallback_approvers": null, "approval_status_change_to_expire": null, "grant_minutes": null, "reminder_minutes": null, "channels": {"email": "decide", "slack": "decide"}, "rooms": {}, "rejection_needs_reason": null, "devices": ["chat-1", "chat-2"], "managers": [], "require_managerial_approval": false}, "room": {"fallback_approvers": null, "approval_status_change_to_expire": null, "grant_minutes": null, "reminder_minutes": null, "channels": {"email": "off", "slack": "decide"}, "rooms": {"slack": "C01ROOM"}, "rejection_needs_reason": null, "devices": ["room-1"], "managers": [], "require_managerial_approval": false}}, "approval_workflows": [{"fallback_approvers": null, "approval_status_change_to_expire": null, "grant_minutes": null, "reminder_minutes": null, "channels": {}, "rooms": {}, "rejection_needs_reason": null, "name": "Engineers to databases", "user_group": "engineers", "device_group": "databases", "levels": [{"approvers": [{"managers_of": "engineers"}], "quorum": 1, "members_may_approve_themselves": false}, {"approvers": [{"managers_of": "databases"}, {"user": "ada"}], "quorum": 2, "members_may_approve_themselves": false}]}], "fallback_approvers": ["ada", "judy"], "auto_approve_when_requester_is_approver": false, "approval_status_change_to_expire": 129600, "grant_minutes": 527040, "reminder_minutes": null, "same_source_address": true, "channels": {"email": "decide"}, "rooms": {}, "rejection_needs_reason": false}','operator:operator','2026-11-28 20:38:14.539262');
INSERT INTO "policies" VALUES(2,'# The people and rules of an installation that is upgraded. `dave` is disabled by a later version of it.
users:
  ada: {name: Ada Adams, email: ada@example.test, roles: [admin]}
  grace: {name: Grace Gray, email: grace@example.test}
  heidi: {name: Heidi Huber, email: heidi@example.test}
  ivan: {name: Ivan Ivanov, email: ivan@example.test}
  judy: {name: Judy Jones, email: judy@example.test}
  alice: {name: Alice Ainsworth, email: alice@example.test, line_manager: grace}
  bob: {name: Bob Baker, email: bob@example.test}
  carol: {name: Carol Clark, email: carol@example.test}
  dave: {name: Dave Dunn, email: dave@example.test, disabled: true}  # stays
user_groups:
  engineers: {members: [alice, bob, dave], managers: [grace], require_managerial_approval: true}
  finance: {members: [carol], managers: [heidi]}
device_groups:
  web: {devices: [web-1, web-2, web-3, web-4, web-5, web-6, web-7, web-8, web-9]}
  brief: {devices: [brief-1, brief-2], grant_minutes: 1, approval_status_change_to_expire: 1}
  databases: {devices: [databases-1, databases-2, databases-3, databases-4], managers: [heidi, ivan]}
  lab: {devices: [lab-1, lab-2]}
  chat: {devices: [chat-1, chat-2], channels: {email: decide, slack: decide}}
  room: {devices: [room-1], channels: {email: "off", slack: decide}, rooms: {slack: C01ROOM}}
approval_workflows:
  - name: Engineers to databases
    user_group: engineers
    device_group: databases
    levels:
      - approvers: [{managers_of: engineers}]
      - approvers: [{managers_of: databases}, {user: ada}]
        quorum: 2
fallback_approvers: [ada, judy]
# As long as they may be: what is open on record stays open however late it is read.
approval_status_change_to_expire: 129600
grant_minutes: 527040
','{"users": {"ada": {"name": "Ada Adams", "email": "ada@example.test", "disabled": false, "line_manager": null, "roles": ["admin"]}, "grace": {"name": "Grace Gray", "email": "grace@example.test", "disabled": false, "line_manager": null, "roles": []}, "heidi": {"name": "Heidi Huber", "email": "heidi@example.test", "disabled": false, "line_manager": null, "roles": []}, "ivan": {"name": "Ivan Ivanov", "email": "ivan@example.test", "disabled": false, "line_manager": null, "roles": []}, "judy": {"name": "Judy Jones", "email": "judy@example.test", "disabled": false, "line_manager": null, "roles": []}, "alice": {"name": "Alice Ainsworth", "email": "alice@example.test", "disabled": false, "line_manager": "grace", "roles": []}, "bob": {"name": "Bob Baker", "email": "bob@example.test", "disabled": false, "line_manager": null, "roles": []}, "carol": {"name": "Carol Clark", "email": "carol@example.test", "disabled": false, "line_manager": null, "roles": []}, "dave": {"name": "Dave Dunn", "email": "dave@example.test", "disabled": true, "line_manager": null, "roles": []}}, "user_groups": {"engineers": {"members": ["alice", "bob", "dave"], "managers": ["grace"], "require_managerial_approval": true}, "finance": {"members": ["carol"], "managers": ["heidi"], "require_managerial_approval": false}}, "device_groups": {"web": {"fallback_approvers": null, "approval_status_change_to_expire": null, "grant_minutes": null, "reminder_minutes": null, "channels": {}, "rooms": {}, "rejection_needs_reason": null, "devices": ["web-1", "web-2", "web-3", "web-4", "web-5", "web-6", "web-7", "web-8", "web-9"], "managers": [], "require_managerial_approval": false}, "brief": {"fallback_approvers": null, "approval_status_change_to_expire": 1, "grant_minutes": 1, "reminder_minutes": null, "channels": {}, "rooms": {}, "rejection_needs_reason": null, "devices": ["brief-1", "brief-2"], "managers": [], "require_managerial_approval": false}, "databases": {"fallback_approvers": null, "approval_status_change_to_expire": null, "grant_minutes": null, "reminder_minutes": null, "channels": {}, "rooms": {}, "rejection_needs_reason": null, "devices": ["databases-1", "databases-2", "databases-3", "databases-4"], "managers": ["heidi", "ivan"], "require_managerial_approval": false}, "lab": {"fallback_approvers": null, "approval_status_change_to_expire": null, "grant_minutes": null, "reminder_minutes": null, "channels": {}, "rooms": {}, "rejection_needs_reason": null, "devices": ["lab-1", "lab-2"], "managers": [], "require_managerial_approval": false}, "chat": {"fallback_approvers": null, "approval_status_change_to_expire": null, "grant_minutes": null, "reminder_minutes": null, "channels": {"email": "decide", "slack": "decide"}, "rooms": {}, "rejection_needs_reason": null, "devices": ["chat-1", "chat-2"], "managers": [], "require_managerial_approval": false}, "room": {"fallback_approvers": null, "approval_status_change_to_expire": null, "grant_minutes": null, "reminder_minutes": null, "channels": {"email": "off", "slack": "decide"}, "rooms": {"slack": "C01ROOM"}, "rejection_needs_reason": null, "devices": ["room-1"], "managers": [], "require_managerial_approval": false}}, "approval_workflows": [{"fallback_approvers": null, "approval_status_change_to_expire": null, "grant_minutes": null, "reminder_minutes": null, "channels": {}, "rooms": {}, "rejection_needs_reason": null, "name": "Engineers to databases", "user_group": "engineers", "device_group": "databases", "levels": [{"approvers": [{"managers_of": "engineers"}], "quorum": 1, "members_may_approve_themselves": false}, {"approvers": [{"managers_of": "databases"}, {"user": "ada"}], "quorum": 2, "members_may_approve_themselves": false}]}], "fallback_approvers": ["ada", "judy"], "auto_approve_when_requester_is_approver": false, "approval_status_change_to_expire": 129600, "grant_minutes": 527040, "reminder_minutes": null, "same_source_address": true, "channels": {"email": "decide"}, "rooms": {}, "rejection_needs_reason": false}','ada','2026-11-28 20:39:02.016089');
CREATE TABLE repeats (
	what VARCHAR(700) NOT NULL, 
	approval_id INTEGER, 
	kind VARCHAR(32) NOT NULL, 
	channel VARCHAR(32) NOT NULL, 
	who VARCHAR(200) NOT NULL, 
	begun_at DATETIME NOT NULL, 
	last_at DATETIME NOT NULL, 
	times INTEGER NOT NULL, 
	PRIMARY KEY (what)
);
INSERT INTO "repeats" VALUES('answer_refused|portal|bob|1007',1007,'answer_refused','portal','bob','2026-11-28 20:38:57.937008','2026-11-28 20:38:57.937008',1);
INSERT INTO "repeats" VALUES('asked_again||alice|1006',1006,'asked_again','','alice','2026-11-28 20:38:58.444688','2026-11-28 20:38:58.444688',1);
INSERT INTO "repeats" VALUES('answer_refused|email|turned down|grace',1014,'answer_refused','email','grace','2026-11-28 20:39:01.030362','2026-11-28 20:39:01.616361',2);
CREATE TABLE requests (
	approval_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	workflow_id VARCHAR(1000) NOT NULL, 
	run_id VARCHAR(100) NOT NULL, 
	question JSON NOT NULL, 
	route JSON NOT NULL, 
	requester VARCHAR(128) NOT NULL, 
	device VARCHAR(128) NOT NULL, 
	protocol VARCHAR(16) NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	words TEXT NOT NULL, 
	level INTEGER NOT NULL, 
	opened_at DATETIME NOT NULL, 
	deadline DATETIME NOT NULL, 
	settled_at DATETIME, 
	step INTEGER NOT NULL, asked_by VARCHAR(200) DEFAULT '' NOT NULL, token_run VARCHAR(100) DEFAULT '' NOT NULL, 
	UNIQUE (run_id)
);
INSERT INTO "requests" VALUES(1001,'connection:alice:brief-1:ssh','01a223e1-e324-77de-a4d8-68b9a3be23c0','{"requester": "alice", "device": "brief-1", "protocol": "ssh", "reason": "a look", "ticket": "", "source_address": "", "minutes": 1}','{"because": "managerial approval is required by engineers", "levels": [{"approvers": [{"managers_of": "engineers"}], "quorum": 1, "members_may_approve_themselves": false}], "fallback_approvers": ["ada", "judy"], "auto_approve_when_requester_is_approver": false, "expire_minutes": 1, "grant_minutes": 1, "reminder_minutes": null, "channels": {"email": "decide"}, "rooms": {}, "rejection_needs_reason": false, "same_source_address": true, "policy_version": 1}','alice','brief-1','ssh','Approved','Approved by Grace Gray.',1,'2026-11-28 20:38:56.052634','2026-11-28 20:39:56.052634','2026-11-28 20:38:56.354434',1000000,'alice','01a223e1-e324-77de-a4d8-68b9a3be23c0');
INSERT INTO "requests" VALUES(1002,'connection:alice:brief-2:ssh','01a223e1-e443-7cbc-a345-2da5a2133a88','{"requester": "alice", "device": "brief-2", "protocol": "ssh", "reason": "nobody answers", "ticket": "", "source_address": "", "minutes": null}','{"because": "managerial approval is required by engineers", "levels": [{"approvers": [{"managers_of": "engineers"}], "quorum": 1, "members_may_approve_themselves": false}], "fallback_approvers": ["ada", "judy"], "auto_approve_when_requester_is_approver": false, "expire_minutes": 1, "grant_minutes": 1, "reminder_minutes": null, "channels": {"email": "decide"}, "rooms": {}, "rejection_needs_reason": false, "same_source_address": true, "policy_version": 1}','alice','brief-2','ssh','Expired','Nobody decided by Sat 28 Nov 2026, 20:39 UTC.',1,'2026-11-28 20:38:56.369360','2026-11-28 20:39:56.369360','2026-11-28 20:40:02.547972',2,'alice','01a223e1-e443-7cbc-a345-2da5a2133a88');
INSERT INTO "requests" VALUES(1003,'connection:alice:databases-1:ssh','01a223e1-e595-74c7-b071-b067bdb782b3','{"requester": "alice", "device": "databases-1", "protocol": "ssh", "reason": "restore the backup", "ticket": "OPS-1", "source_address": "", "minutes": null}','{"because": "approval workflow Engineers to databases", "levels": [{"approvers": [{"managers_of": "engineers"}], "quorum": 1, "members_may_approve_themselves": false}, {"approvers": [{"managers_of": "databases"}, {"user": "ada"}], "quorum": 2, "members_may_approve_themselves": false}], "fallback_approvers": ["ada", "judy"], "auto_approve_when_requester_is_approver": false, "expire_minutes": 129600, "grant_minutes": 527040, "reminder_minutes": null, "channels": {"email": "decide"}, "rooms": {}, "rejection_needs_reason": false, "same_source_address": true, "policy_version": 1}','alice','databases-1','ssh','Waiting','',1,'2026-11-28 20:38:56.688658','2027-02-26 20:38:56.688658',NULL,1,'alice','01a223e1-e595-74c7-b071-b067bdb782b3');
INSERT INTO "requests" VALUES(1004,'connection:alice:databases-2:ssh','01a223e1-e5fa-708f-8908-7ebdaa929e78','{"requester": "alice", "device": "databases-2", "protocol": "ssh", "reason": "restore the backup", "ticket": "", "source_address": "", "minutes": null}','{"because": "approval workflow Engineers to databases", "levels": [{"approvers": [{"managers_of": "engineers"}], "quorum": 1, "members_may_approve_themselves": false}, {"approvers": [{"managers_of": "databases"}, {"user": "ada"}], "quorum": 2, "members_may_approve_themselves": false}], "fallback_approvers": ["ada", "judy"], "auto_approve_when_requester_is_approver": false, "expire_minutes": 129600, "grant_minutes": 527040, "reminder_minutes": null, "channels": {"email": "decide"}, "rooms": {}, "rejection_needs_reason": false, "same_source_address": true, "policy_version": 1}','alice','databases-2','ssh','Waiting','',2,'2026-11-28 20:38:56.785972','2027-02-26 20:38:56.785972',NULL,3,'alice','01a223e1-e5fa-708f-8908-7ebdaa929e78');
INSERT INTO "requests" VALUES(1005,'connection:bob:databases-3:ssh','01a223e1-e708-763a-9373-7986fe1788e9','{"requester": "bob", "device": "databases-3", "protocol": "ssh", "reason": "a new index", "ticket": "", "source_address": "", "minutes": 90}','{"because": "approval workflow Engineers to databases", "levels": [{"approvers": [{"managers_of": "engineers"}], "quorum": 1, "members_may_approve_themselves": false}, {"approvers": [{"managers_of": "databases"}, {"user": "ada"}], "quorum": 2, "members_may_approve_themselves": false}], "fallback_approvers": ["ada", "judy"], "auto_approve_when_requester_is_approver": false, "expire_minutes": 129600, "grant_minutes": 90, "reminder_minutes": null, "channels": {"email": "decide"}, "rooms": {}, "rejection_needs_reason": false, "same_source_address": true, "policy_version": 1}','bob','databases-3','ssh','Waiting','',2,'2026-11-28 20:38:57.081402','2027-02-26 20:38:57.081402',NULL,4,'bob','01a223e1-e708-763a-9373-7986fe1788e9');
INSERT INTO "requests" VALUES(1006,'connection:alice:web-1:ssh','01a223e1-e922-74ac-9839-2cfd9817d34b','{"requester": "alice", "device": "web-1", "protocol": "ssh", "reason": "deploy", "ticket": "", "source_address": "", "minutes": null}','{"because": "managerial approval is required by engineers", "levels": [{"approvers": [{"managers_of": "engineers"}], "quorum": 1, "members_may_approve_themselves": false}], "fallback_approvers": ["ada", "judy"], "auto_approve_when_requester_is_approver": false, "expire_minutes": 129600, "grant_minutes": 527040, "reminder_minutes": null, "channels": {"email": "decide"}, "rooms": {}, "rejection_needs_reason": false, "same_source_address": true, "policy_version": 1}','alice','web-1','ssh','Approved','Approved by Grace Gray.',1,'2026-11-28 20:38:57.627031','2027-02-26 20:38:57.627031','2026-11-28 20:38:57.998805',2,'alice','01a223e1-e922-74ac-9839-2cfd9817d34b');
INSERT INTO "requests" VALUES(1007,'connection:bob:web-2:ssh','01a223e1-e9ac-758a-890c-32e0eacc87a1','{"requester": "bob", "device": "web-2", "protocol": "ssh", "reason": "deploy", "ticket": "", "source_address": "", "minutes": null}','{"because": "managerial approval is required by engineers", "levels": [{"approvers": [{"managers_of": "engineers"}], "quorum": 1, "members_may_approve_themselves": false}], "fallback_approvers": ["ada", "judy"], "auto_approve_when_requester_is_approver": false, "expire_minutes": 129600, "grant_minutes": 527040, "reminder_minutes": null, "channels": {"email": "decide"}, "rooms": {}, "rejection_needs_reason": false, "same_source_address": true, "policy_version": 1}','bob','web-2','ssh','Approved','Approved by Grace Gray.',1,'2026-11-28 20:38:57.737372','2027-02-26 20:38:57.737372','2026-11-28 20:38:58.186884',1000000,'bob','01a223e1-e9ac-758a-890c-32e0eacc87a1');
INSERT INTO "requests" VALUES(1008,'connection:alice:web-3:ssh','01a223e1-eda6-7054-9355-f8b7f3fee50b','{"requester": "alice", "device": "web-3", "protocol": "ssh", "reason": "try things", "ticket": "", "source_address": "", "minutes": null}','{"because": "managerial approval is required by engineers", "levels": [{"approvers": [{"managers_of": "engineers"}], "quorum": 1, "members_may_approve_themselves": false}], "fallback_approvers": ["ada", "judy"], "auto_approve_when_requester_is_approver": false, "expire_minutes": 129600, "grant_minutes": 527040, "reminder_minutes": null, "channels": {"email": "decide"}, "rooms": {}, "rejection_needs_reason": false, "same_source_address": true, "policy_version": 1}','alice','web-3','ssh','Rejected','Rejected by Grace Gray: not today',1,'2026-11-28 20:38:58.752152','2027-02-26 20:38:58.752152','2026-11-28 20:38:58.797580',2,'alice','01a223e1-eda6-7054-9355-f8b7f3fee50b');
INSERT INTO "requests" VALUES(1009,'connection:bob:web-3:ssh','01a223e1-eeaa-7afa-808a-b21847302e1f','{"requester": "bob", "device": "web-3", "protocol": "ssh", "reason": "", "ticket": "", "source_address": "", "minutes": null}','{"because": "managerial approval is required by engineers", "levels": [{"approvers": [{"managers_of": "engineers"}], "quorum": 1, "members_may_approve_themselves": false}], "fallback_approvers": ["ada", "judy"], "auto_approve_when_requester_is_approver": false, "expire_minutes": 129600, "grant_minutes": 527040, "reminder_minutes": null, "channels": {"email": "decide"}, "rooms": {}, "rejection_needs_reason": false, "same_source_address": true, "policy_version": 1}','bob','web-3','ssh','Cancelled','Cancelled by Bob Baker: not needed',1,'2026-11-28 20:38:59.019548','2027-02-26 20:38:59.019548','2026-11-28 20:38:59.179878',2,'bob','01a223e1-eeaa-7afa-808a-b21847302e1f');
INSERT INTO "requests" VALUES(1010,'connection:bob:web-4:ssh','01a223e1-efed-79b5-ad6e-711a92c42345','{"requester": "bob", "device": "web-4", "protocol": "ssh", "reason": "bob has no keyboard", "ticket": "", "source_address": "", "minutes": null}','{"because": "managerial approval is required by engineers", "levels": [{"approvers": [{"managers_of": "engineers"}], "quorum": 1, "members_may_approve_themselves": false}], "fallback_approvers": ["ada", "judy"], "auto_approve_when_requester_is_approver": false, "expire_minutes": 129600, "grant_minutes": 527040, "reminder_minutes": null, "channels": {"email": "decide"}, "rooms": {}, "rejection_needs_reason": false, "same_source_address": true, "policy_version": 1}','bob','web-4','ssh','Waiting','',1,'2026-11-28 20:38:59.346929','2027-02-26 20:38:59.346929',NULL,1,'ada','01a223e1-efed-79b5-ad6e-711a92c42345');
INSERT INTO "requests" VALUES(1011,'connection:carol:lab-1:ssh','01a223e1-f0d2-7047-81b2-9009bd0fe9e1','{"requester": "carol", "device": "lab-1", "protocol": "ssh", "reason": "", "ticket": "", "source_address": "192.0.2.7", "minutes": 600}','{"because": "nobody requires approval", "levels": [], "fallback_approvers": ["ada", "judy"], "auto_approve_when_requester_is_approver": false, "expire_minutes": 129600, "grant_minutes": 600, "reminder_minutes": null, "channels": {"email": "decide"}, "rooms": {}, "rejection_needs_reason": false, "same_source_address": true, "policy_version": 1}','carol','lab-1','ssh','Approved','Approved at once: nobody requires approval.',0,'2026-11-28 20:38:59.564648','2027-02-26 20:38:59.564648','2026-11-28 20:38:59.564648',1,'gateway:bastion','01a223e1-f0d2-7047-81b2-9009bd0fe9e1');
INSERT INTO "requests" VALUES(1012,'connection:carol:lab-2:ssh','01a223e1-f164-7608-8b97-13772dc8090d','{"requester": "carol", "device": "lab-2", "protocol": "ssh", "reason": "", "ticket": "", "source_address": "192.0.2.7", "minutes": 30}','{"because": "nobody requires approval", "levels": [], "fallback_approvers": ["ada", "judy"], "auto_approve_when_requester_is_approver": false, "expire_minutes": 129600, "grant_minutes": 30, "reminder_minutes": null, "channels": {"email": "decide"}, "rooms": {}, "rejection_needs_reason": false, "same_source_address": true, "policy_version": 1}','carol','lab-2','ssh','Approved','Approved at once: nobody requires approval.',0,'2026-11-28 20:38:59.708373','2027-02-26 20:38:59.708373','2026-11-28 20:38:59.708373',1000000,'gateway:bastion','01a223e1-f164-7608-8b97-13772dc8090d');
INSERT INTO "requests" VALUES(1013,'connection:alice:web-5:ssh','01a223e1-f20e-70c3-b60f-4b5b5e7ff59a','{"requester": "alice", "device": "web-5", "protocol": "ssh", "reason": "install a game", "ticket": "", "source_address": "", "minutes": null}','{"because": "managerial approval is required by engineers", "levels": [{"approvers": [{"managers_of": "engineers"}], "quorum": 1, "members_may_approve_themselves": false}], "fallback_approvers": ["ada", "judy"], "auto_approve_when_requester_is_approver": false, "expire_minutes": 129600, "grant_minutes": 527040, "reminder_minutes": null, "channels": {"email": "decide"}, "rooms": {}, "rejection_needs_reason": false, "same_source_address": true, "policy_version": 1}','alice','web-5','ssh','Rejected','Rejected by Grace Gray: Ask again on Monday, please.',1,'2026-11-28 20:38:59.869468','2027-02-26 20:38:59.869468','2026-11-28 20:39:00.519583',2,'alice','01a223e1-f20e-70c3-b60f-4b5b5e7ff59a');
INSERT INTO "requests" VALUES(1014,'connection:alice:web-6:ssh','01a223e1-f403-7c2c-a7de-4c89362f83f1','{"requester": "alice", "device": "web-6", "protocol": "ssh", "reason": "read the logs", "ticket": "", "source_address": "", "minutes": null}','{"because": "managerial approval is required by engineers", "levels": [{"approvers": [{"managers_of": "engineers"}], "quorum": 1, "members_may_approve_themselves": false}], "fallback_approvers": ["ada", "judy"], "auto_approve_when_requester_is_approver": false, "expire_minutes": 129600, "grant_minutes": 527040, "reminder_minutes": null, "channels": {"email": "decide"}, "rooms": {}, "rejection_needs_reason": false, "same_source_address": true, "policy_version": 1}','alice','web-6','ssh','Waiting','',1,'2026-11-28 20:39:00.449744','2027-02-26 20:39:00.449744',NULL,2,'alice','01a223e1-f403-7c2c-a7de-4c89362f83f1');
INSERT INTO "requests" VALUES(1015,'connection:alice:web-7:ssh','01a223e1-f670-744a-8da8-6249edbc05ce','{"requester": "alice", "device": "web-7", "protocol": "ssh", "reason": "read the logs", "ticket": "", "source_address": "", "minutes": null}','{"because": "managerial approval is required by engineers", "levels": [{"approvers": [{"managers_of": "engineers"}], "quorum": 1, "members_may_approve_themselves": false}], "fallback_approvers": ["ada", "judy"], "auto_approve_when_requester_is_approver": false, "expire_minutes": 129600, "grant_minutes": 527040, "reminder_minutes": null, "channels": {"email": "decide"}, "rooms": {}, "rejection_needs_reason": false, "same_source_address": true, "policy_version": 1}','alice','web-7','ssh','Waiting','',1,'2026-11-28 20:39:01.069901','2027-02-26 20:39:01.069901',NULL,1,'alice','01a223e1-f670-744a-8da8-6249edbc05ce');
INSERT INTO "requests" VALUES(1016,'connection:dave:web-8:ssh','01a223e1-f8e4-7c68-a66b-63caa99011ac','{"requester": "dave", "device": "web-8", "protocol": "ssh", "reason": "", "ticket": "", "source_address": "", "minutes": null}','{"because": "managerial approval is required by engineers", "levels": [{"approvers": [{"managers_of": "engineers"}], "quorum": 1, "members_may_approve_themselves": false}], "fallback_approvers": ["ada", "judy"], "auto_approve_when_requester_is_approver": false, "expire_minutes": 129600, "grant_minutes": 527040, "reminder_minutes": null, "channels": {"email": "decide"}, "rooms": {}, "rejection_needs_reason": false, "same_source_address": true, "policy_version": 1}','dave','web-8','ssh','Approved','Approved by Grace Gray.',1,'2026-11-28 20:39:01.648611','2027-02-26 20:39:01.648611','2026-11-28 20:39:01.897454',1000000,'dave','01a223e1-f8e4-7c68-a66b-63caa99011ac');
INSERT INTO "requests" VALUES(1017,'connection:dave:web-9:ssh','01a223e1-f9a4-7be7-ae21-f55865d54876','{"requester": "dave", "device": "web-9", "protocol": "ssh", "reason": "", "ticket": "", "source_address": "", "minutes": null}','{"because": "managerial approval is required by engineers", "levels": [{"approvers": [{"managers_of": "engineers"}], "quorum": 1, "members_may_approve_themselves": false}], "fallback_approvers": ["ada", "judy"], "auto_approve_when_requester_is_approver": false, "expire_minutes": 129600, "grant_minutes": 527040, "reminder_minutes": null, "channels": {"email": "decide"}, "rooms": {}, "rejection_needs_reason": false, "same_source_address": true, "policy_version": 1}','dave','web-9','ssh','Cancelled','Cancelled by countersign: The requester is disabled in policy version 2.',1,'2026-11-28 20:39:01.819754','2027-02-26 20:39:01.819754','2026-11-28 20:39:02.095268',2,'dave','01a223e1-f9a4-7be7-ae21-f55865d54876');
INSERT INTO "requests" VALUES(1018,'connection:alice:chat-1:ssh','01a223e1-fbe3-7bf8-9113-d82f27de1a57','{"requester": "alice", "device": "chat-1", "protocol": "ssh", "reason": "chat", "ticket": "", "source_address": "", "minutes": null}','{"because": "managerial approval is required by engineers", "levels": [{"approvers": [{"managers_of": "engineers"}], "quorum": 1, "members_may_approve_themselves": false}], "fallback_approvers": ["ada", "judy"], "auto_approve_when_requester_is_approver": false, "expire_minutes": 129600, "grant_minutes": 527040, "reminder_minutes": null, "channels": {"email": "decide", "slack": "decide"}, "rooms": {}, "rejection_needs_reason": false, "same_source_address": true, "policy_version": 2}','alice','chat-1','ssh','Waiting','',1,'2026-11-28 20:39:02.415438','2027-02-26 20:39:02.415438',NULL,1,'alice','01a223e1-fbe3-7bf8-9113-d82f27de1a57');
INSERT INTO "requests" VALUES(1019,'connection:alice:chat-2:ssh','01a223e1-fd13-75ae-b6bf-b48bdd61d75a','{"requester": "alice", "device": "chat-2", "protocol": "ssh", "reason": "chat", "ticket": "", "source_address": "", "minutes": null}','{"because": "managerial approval is required by engineers", "levels": [{"approvers": [{"managers_of": "engineers"}], "quorum": 1, "members_may_approve_themselves": false}], "fallback_approvers": ["ada", "judy"], "auto_approve_when_requester_is_approver": false, "expire_minutes": 129600, "grant_minutes": 527040, "reminder_minutes": null, "channels": {"email": "decide", "slack": "decide"}, "rooms": {}, "rejection_needs_reason": false, "same_source_address": true, "policy_version": 2}','alice','chat-2','ssh','Approved','Approved by Grace Gray.',1,'2026-11-28 20:39:02.686419','2027-02-26 20:39:02.686419','2026-11-28 20:39:02.998664',2,'alice','01a223e1-fd13-75ae-b6bf-b48bdd61d75a');
INSERT INTO "requests" VALUES(1020,'connection:alice:room-1:ssh','01a223e1-fdc2-7823-80fa-30e138da096b','{"requester": "alice", "device": "room-1", "protocol": "ssh", "reason": "chat", "ticket": "", "source_address": "", "minutes": null}','{"because": "managerial approval is required by engineers", "levels": [{"approvers": [{"managers_of": "engineers"}], "quorum": 1, "members_may_approve_themselves": false}], "fallback_approvers": ["ada", "judy"], "auto_approve_when_requester_is_approver": false, "expire_minutes": 129600, "grant_minutes": 527040, "reminder_minutes": null, "channels": {"email": "off", "slack": "decide"}, "rooms": {"slack": "C01ROOM"}, "rejection_needs_reason": false, "same_source_address": true, "policy_version": 2}','alice','room-1','ssh','Waiting','',1,'2026-11-28 20:39:02.866571','2027-02-26 20:39:02.866571',NULL,1,'alice','01a223e1-fdc2-7823-80fa-30e138da096b');
INSERT INTO "requests" VALUES(1021,'connection:alice:databases-4:ssh','01a223e2-e764-7bc8-b316-19d7af376d2f','{"requester": "alice", "device": "databases-4", "protocol": "ssh", "reason": "nobody knows of it yet", "ticket": "", "source_address": "", "minutes": null}','{"because": "approval workflow Engineers to databases", "levels": [{"approvers": [{"managers_of": "engineers"}], "quorum": 1, "members_may_approve_themselves": false}, {"approvers": [{"managers_of": "databases"}, {"user": "ada"}], "quorum": 2, "members_may_approve_themselves": false}], "fallback_approvers": ["ada", "judy"], "auto_approve_when_requester_is_approver": false, "expire_minutes": 129600, "grant_minutes": 527040, "reminder_minutes": null, "channels": {"email": "decide"}, "rooms": {}, "rejection_needs_reason": false, "same_source_address": true, "policy_version": 2}','alice','databases-4','ssh','Waiting','',1,'2026-11-28 20:40:02.673950','2027-02-26 20:40:02.673950',NULL,1,'alice','01a223e2-e764-7bc8-b316-19d7af376d2f');
CREATE TABLE signals (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	person VARCHAR(128) NOT NULL, 
	approval_id INTEGER, 
	signal VARCHAR(16) NOT NULL, 
	words TEXT NOT NULL, 
	at DATETIME NOT NULL
);
INSERT INTO "signals" VALUES(1,'grace',1014,'away','Automatic reply: Countersign - Connection Approval Notification - #1014','2026-11-28 20:39:01.006113');
CREATE TABLE steps (
	approval_id INTEGER NOT NULL, 
	"key" VARCHAR(400) NOT NULL, 
	number INTEGER NOT NULL, 
	PRIMARY KEY (approval_id, "key"), 
	FOREIGN KEY(approval_id) REFERENCES requests (approval_id)
);
INSERT INTO "steps" VALUES(1001,'1.level_started',1);
INSERT INTO "steps" VALUES(1001,'1.answer.ae22516f83a54941ad38c555a1664b6d',2);
INSERT INTO "steps" VALUES(1002,'1.level_started',1);
INSERT INTO "steps" VALUES(1003,'1.level_started',1);
INSERT INTO "steps" VALUES(1004,'1.level_started',1);
INSERT INTO "steps" VALUES(1004,'1.answer.a31b13cab68d41b0b87e190cbd60e4ef',2);
INSERT INTO "steps" VALUES(1005,'1.level_started',1);
INSERT INTO "steps" VALUES(1004,'2.level_started',3);
INSERT INTO "steps" VALUES(1005,'1.answer.a0739ea7b51e49e18e6ba7a12590fee0',2);
INSERT INTO "steps" VALUES(1005,'2.level_started',3);
INSERT INTO "steps" VALUES(1005,'2.answer.f0747fda2750463484fd1aa8eb9548f5',4);
INSERT INTO "steps" VALUES(1006,'1.level_started',1);
INSERT INTO "steps" VALUES(1007,'1.level_started',1);
INSERT INTO "steps" VALUES(1007,'ask.969af967e4114dec915574bc4b5cb1ca',0);
INSERT INTO "steps" VALUES(1006,'1.answer.1d282790c844458cbfd1fb9704aeae10',2);
INSERT INTO "steps" VALUES(1007,'1.answer.2794befb6df04948b048fe98bbb79d8e',2);
INSERT INTO "steps" VALUES(1008,'1.level_started',1);
INSERT INTO "steps" VALUES(1008,'1.answer.8410cf762a004784bc7b1b63d6c70daf',2);
INSERT INTO "steps" VALUES(1009,'1.level_started',1);
INSERT INTO "steps" VALUES(1009,'1.cancelled',2);
INSERT INTO "steps" VALUES(1010,'1.level_started',1);
INSERT INTO "steps" VALUES(1011,'0.approved',1);
INSERT INTO "steps" VALUES(1012,'0.approved',1);
INSERT INTO "steps" VALUES(1013,'1.level_started',1);
INSERT INTO "steps" VALUES(1014,'1.level_started',1);
INSERT INTO "steps" VALUES(1013,'1.answer.734bfc72ceeb494ead4a7226ab7a0b9d',2);
INSERT INTO "steps" VALUES(1015,'1.level_started',1);
INSERT INTO "steps" VALUES(1016,'1.level_started',1);
INSERT INTO "steps" VALUES(1017,'1.level_started',1);
INSERT INTO "steps" VALUES(1016,'1.answer.47b6f52812484eb8b55071caf88dd1b0',2);
INSERT INTO "steps" VALUES(1017,'1.cancelled',2);
INSERT INTO "steps" VALUES(1014,'1.grace.away',2);
INSERT INTO "steps" VALUES(1018,'1.level_started',1);
INSERT INTO "steps" VALUES(1019,'1.level_started',1);
INSERT INTO "steps" VALUES(1020,'1.level_started',1);
INSERT INTO "steps" VALUES(1019,'1.answer.f41b757f98c84a7cb0bbd955bd194891',2);
INSERT INTO "steps" VALUES(1002,'1.expired',2);
INSERT INTO "steps" VALUES(1021,'1.level_started',1);
CREATE TABLE tokens (
	id VARCHAR(16) NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	owner VARCHAR(128) NOT NULL, 
	is_admin BOOLEAN NOT NULL, 
	devices JSON NOT NULL, 
	protocols JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	ended_at DATETIME, 
	PRIMARY KEY (id), 
	UNIQUE (hash)
);
INSERT INTO "tokens" VALUES('2ccd4f2ee3af','4cda3bfb245031125ac27c57ec96b3d75aafb718447a588e55ed0ae20471be59','person','ada',0,'{"devices": [], "device_groups": []}','[]','2026-11-28 20:38:18.951966',NULL);
INSERT INTO "tokens" VALUES('fbc14dc0d862','2a3a48e4cb5299ee56ff244e7cad538659ed9db7bc32d39faab1c646e71940b3','person','grace',0,'{"devices": [], "device_groups": []}','[]','2026-11-28 20:38:23.876948',NULL);
INSERT INTO "tokens" VALUES('ad86104eb0c2','4bd6e246e9c3eb6bbe028b60617e3994c0a4f6c6e9e76aea60322d2007866874','person','heidi',0,'{"devices": [], "device_groups": []}','[]','2026-11-28 20:38:27.440633',NULL);
INSERT INTO "tokens" VALUES('c1028cefd38c','a0c0d5b8a22d512948a945118d37a3abd39068233032bc6533e1e3e166568bbc','person','alice',0,'{"devices": [], "device_groups": []}','[]','2026-11-28 20:38:30.555814',NULL);
INSERT INTO "tokens" VALUES('02654aa93bb2','1775773ddbec837a216b485ca2ae10442ba8597e0242b8a4858d352989919d31','person','bob',0,'{"devices": [], "device_groups": []}','[]','2026-11-28 20:38:33.077384',NULL);
INSERT INTO "tokens" VALUES('842308e73030','46f136648aed740285c1c6b9ffc0c28c07f9c39d1c1e1df156080801a03c3028','person','carol',0,'{"devices": [], "device_groups": []}','[]','2026-11-28 20:38:35.601924',NULL);
INSERT INTO "tokens" VALUES('96a53db34ddf','f44b6fa969c7cd09a2c515b570da54210f4571aad329d36936e1c32a38cd3981','person','dave',0,'{"devices": [], "device_groups": []}','[]','2026-11-28 20:38:38.652562',NULL);
INSERT INTO "tokens" VALUES('20edca11b4c5','4aa0f4d56c6457a334c9b6ea725e979919b286c2f466b2a7e1ca9be442664957','gateway','bastion',0,'{"devices": [], "device_groups": ["lab"]}','["ssh"]','2026-11-28 20:38:41.320142',NULL);
CREATE TABLE turned_down (
	digest VARCHAR(64) NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (digest)
);
INSERT INTO "turned_down" VALUES('aaf0d928a775371d37611cc13e01da96f2ef3d600073009417fea7833dd0f4e2','2026-11-28 20:39:01.030362');
INSERT INTO "turned_down" VALUES('bcf1792c621960c80ec01ce41f4fe93417844fb5007baa6b5c6e93dbd62011d6','2026-11-28 20:39:01.616361');
CREATE TABLE workers (
	id VARCHAR(40) NOT NULL, 
	host VARCHAR(200) NOT NULL, 
	channels JSON NOT NULL, 
	started_at DATETIME NOT NULL, 
	seen_at DATETIME NOT NULL, version VARCHAR(40) DEFAULT '' NOT NULL, task_queue VARCHAR(200) DEFAULT '' NOT NULL, ahead_seconds FLOAT DEFAULT '0' NOT NULL, ended_at DATETIME, 
	PRIMARY KEY (id)
);
INSERT INTO "workers" VALUES('6bdeafe082a74d4b8ad0592a8e7b0342','worker','["email", "slack"]','2026-11-28 20:38:54.015785','2026-11-28 20:40:00.442573','0.1.0','countersign',0.0,'2026-11-28 20:40:02.915152');
CREATE INDEX events_by_request ON events (approval_id, version);
CREATE INDEX notices_by_request ON notices (approval_id);
CREATE INDEX requests_by_requester ON requests (requester, approval_id);
CREATE INDEX requests_by_status ON requests (status, approval_id);
CREATE INDEX approvers_by_person ON approvers (person, approval_id);
CREATE INDEX grants_by_question ON grants (requester, device, protocol, status);
CREATE INDEX workers_by_seen_at ON workers (seen_at);
CREATE INDEX answers_by_request ON answers (approval_id, at);
CREATE INDEX requests_by_requester_and_status ON requests (requester, status, approval_id);
CREATE INDEX requests_by_device ON requests (device, approval_id);
CREATE INDEX requests_by_deadline ON requests (deadline);
CREATE INDEX signals_by_request ON signals (approval_id, person);
CREATE INDEX answers_open ON answers (at) WHERE state = 'open';
CREATE INDEX notices_waiting ON notices (retry_at) WHERE state = 'waiting';
CREATE INDEX notices_unreachable ON notices (approval_id) WHERE state = 'unreachable';
CREATE INDEX notices_answering ON notices (person, event, written_at) WHERE event IN ('help', 'answer_refused');
CREATE INDEX grants_active ON grants (approval_id) WHERE status = 'Active';
CREATE INDEX notices_outdated ON notices (retry_at) WHERE outdated = 1;
CREATE INDEX mails_by_time ON mails (claimed_until);
CREATE INDEX turned_down_by_time ON turned_down (at);
CREATE INDEX signals_by_time ON signals (at);
CREATE INDEX idempotency_by_time ON idempotency (at);
CREATE INDEX repeats_by_begin ON repeats (begun_at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('requests',1021);
INSERT INTO "sqlite_sequence" VALUES('signals',1);
COMMIT;
