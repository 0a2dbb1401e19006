/**
 * Rows of the CMS-like data set. Made by the server from row numbers and a seed (no `random()`, no `now()`),
 * so that millions of them take seconds and are the same each time.
 */

export interface RowCounts {
  /** Paragraphs of prose that articles and documents are put together from. */
  readonly paragraphs: number;
  readonly articles: number;
  readonly versionsPerArticle: number;
  readonly paragraphsPerArticle: number;
  readonly documents: number;
  readonly pageViews: number;
  readonly sessions: number;
  readonly events: number;
  readonly attachments: number;
  readonly attachmentKib: number;
  readonly largeObjects: number;
  readonly largeObjectKib: number;
}

/** Large objects have these numbers: the first, and so on upwards. */
const firstLargeObject = 50_001;

/** Functions of one session that the statements below use. */
export const sessionSql = (seed: number): string => `
SET TIME ZONE 'UTC';
CREATE FUNCTION pg_temp.pick(i bigint, salt integer, n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
  $$ SELECT (hashint8extended(i * 4096 + salt, ${seed}) & 9223372036854775807) % n $$;
CREATE FUNCTION pg_temp.noise(i bigint, kib integer) RETURNS bytea LANGUAGE sql IMMUTABLE AS
  $$ SELECT string_agg(sha512(convert_to(${seed} || '/' || i || '/' || j, 'UTF8')), ''::bytea ORDER BY j)
     FROM generate_series(1, kib * 16) AS j $$;
CREATE FUNCTION pg_temp.instant(i bigint, salt integer) RETURNS timestamp LANGUAGE sql IMMUTABLE AS
  $$ SELECT timestamp '2023-12-20' + make_interval(secs => pg_temp.pick(i, salt, 34000000000) / 1000.0) $$;
`;

/** Where paragraphs wait while rows are made; dropped afterwards. */
export const poolTable = "public.lc2_prose";

/** Independent lists of statements; those of one list run one after the other. */
export function rowStatements(n: RowCounts): readonly (readonly string[])[] {
  return [
    [peopleSql, articlesSql(n), binariesSql(n), largeObjectsSql(n)],
    [pageViewsSql(n), documentsSql(n), eventsSql(n)],
  ];
}

const peopleSql = `
INSERT INTO company VALUES (20097, 'liferay.com', 'example.org'), (20098, 'zweite.example', NULL);
INSERT INTO group_ SELECT 20100 + i, 20097, '/site-' || i FROM generate_series(1, 5) AS i;
INSERT INTO user_ SELECT 20200 + i, 20097, 'user' || i, 'user' || i || '@example.org', md5(i::text), i % 7 <> 0
  FROM generate_series(1, 200) AS i;
INSERT INTO cms.team (name) SELECT 'Team ' || chr(64 + i) FROM generate_series(1, 5) AS i;
INSERT INTO cms.author (team_id, name, home, earlier_homes)
  SELECT 100 + 10 * (i % 5), (ARRAY['Ada', 'Łukasz', 'Zoë', '小林', ' Ανδρέας '])[1 + i % 5] || ' ' || i,
         ROW('Main "Street" ' || i, to_char(i, 'FM00000'), ARRAY['a, b', NULL, ''])::cms.address,
         CASE WHEN i % 3 = 0 THEN ARRAY[ROW('x', NULL, NULL)::cms.address, NULL] END
  FROM generate_series(1, 40) AS i;
UPDATE cms.author SET reports_to = 1 WHERE author_id > 1;
UPDATE cms.team SET lead_id = (team_id - 90) / 10;
INSERT INTO counter VALUES ('com.liferay.counter.model.Counter', 40000), ('with\ttab', -1);
`;

/** Each version is a whole copy in which a few paragraphs are new, as a CMS keeps them. */
const articlesSql = (n: RowCounts): string => `
INSERT INTO journalarticle
SELECT 100000 + a * ${n.versionsPerArticle} + v, 500000 + a, 20100 + 1 + a % 5, 20200 + 1 + a % 200, 'ART-' || a,
       1 + v / 10.0, left((SELECT body FROM ${poolTable} WHERE id = pg_temp.pick(a, 1, ${n.paragraphs})), 60 + a % 20),
       '<?xml version="1.0"?>' || chr(10) || '<root available-locales="en_US" default-locale="en_US" version="1.0">' ||
       (SELECT string_agg('<dynamic-element index-type="text" name="Text' || p || '"><dynamic-content language-id="en_US"><![CDATA[' ||
                          pool.body || ']]></dynamic-content></dynamic-element>', chr(10) ORDER BY p)
        FROM generate_series(1, ${n.paragraphsPerArticle}) AS p
        JOIN ${poolTable} AS pool ON pool.id =
             pg_temp.pick(a * 64 + p, 2 + (v >= pg_temp.pick(a * 64 + p, 1, ${2 * n.versionsPerArticle}))::integer, ${n.paragraphs}))
       || '</root>',
       CASE WHEN v = ${n.versionsPerArticle} THEN 0 ELSE 8 END, pg_temp.instant(a * 64 + v, 5)
FROM generate_series(1, ${n.articles}) AS a, generate_series(1, ${n.versionsPerArticle}) AS v;
`;

const documentsSql = (n: RowCounts): string => `
INSERT INTO cms.document (slug, state, author_id, body, raw, tags, matrix, discount, prices, note, search, published_at)
SELECT 'document-' || d,
       (ARRAY['draft', 'in review', 'published', 'published', 'naïve ☕', 'archived'])[1 + d % 6]::cms.status,
       1 + d % 40,
       jsonb_build_object('title', left(pool.body, 40 + (d % 20)::integer), 'id', d, 'rating', (d % 50) / 10.0, 'live', d % 3 = 0,
                          'text', left(pool.body, (100 + pg_temp.pick(d, 9, 400))::integer),
                          'keywords', to_jsonb(string_to_array(left(pool.body, 40), ' ')),
                          'meta', jsonb_build_object('lang', 'en', 'ref', md5(d::text), 'nothing', NULL)),
       CASE WHEN d % 10 = 0 THEN '{"b" : 1,  "a":2, "a":3}'::json END,
       CASE d % 4 WHEN 0 THEN '{}' WHEN 1 THEN ARRAY['news', 'größe'] WHEN 2 THEN ARRAY['a,b', 'c"d', NULL] ELSE '[0:1]={x,y}' END,
       CASE WHEN d % 25 = 0 THEN ARRAY[[1, NULL], [3, 4]] END,
       (d % 10001) / 100.0, cms.price_range((d % 100)::numeric, NULL),
       CASE WHEN d % 7 = 0 THEN E'tab\\there\\nand \\\\N' END,
       CASE WHEN d % 5 = 0 THEN to_tsvector('pg_catalog.english', left(pool.body, 200)) END,
       pg_temp.instant(d, 6)
FROM generate_series(1::bigint, ${n.documents}) AS d
JOIN ${poolTable} AS pool ON pool.id = pg_temp.pick(d, 7, ${n.paragraphs});
`;

const pageViewsSql = (n: RowCounts): string => `
INSERT INTO analytics.page_view
SELECT timestamp '2023-12-20' + make_interval(secs => floor(i * (34000000.0 / ${n.pageViews}))),
       pg_temp.pick(i, 11, 1 + pg_temp.pick(i, 12, 3000)), i / 7, pg_temp.pick(i, 13, 90),
       CASE pg_temp.pick(i, 14, 4) WHEN 0 THEN 'https://www.example.org/search?q=' || pg_temp.pick(i, 15, 200) WHEN 1 THEN '' END
FROM generate_series(1::bigint, ${n.pageViews}) AS i;
INSERT INTO analytics.session
SELECT md5(i::text), i, jsonb_build_object('ip', '10.0.' || i % 256 || '.' || i % 199, 'n', i)
FROM generate_series(1::bigint, ${n.sessions}) AS i;
INSERT INTO analytics.base_log SELECT timestamp '2024-05-01' + make_interval(secs => i), 'line ' || i FROM generate_series(1, 500) AS i;
INSERT INTO analytics.error_log SELECT timestamp '2024-05-02' + make_interval(secs => i), 'error ' || i, 1 + i % 3 FROM generate_series(1, 50) AS i;
`;

const eventsSql = (n: RowCounts): string => `
INSERT INTO analytics.event (kind, subject, weight, happened_at)
SELECT pg_temp.pick(i, 20, 12), pg_temp.pick(i, 21, 5000), pg_temp.pick(i, 22, 100) / 8.0, timestamp '2024-01-01' + make_interval(secs => i * 3)
FROM generate_series(1::bigint, ${n.events}) AS i;
`;

const binariesSql = (n: RowCounts): string => `
INSERT INTO cms.attachment
SELECT i, 'attachment ' || i, bytes, sha256(bytes)
FROM (SELECT i, pg_temp.noise(i, ${n.attachmentKib}) AS bytes FROM generate_series(1, ${n.attachments}) AS i) AS made;
INSERT INTO cms.attachment VALUES (0, 'no bytes', '', NULL), (-1, NULL, '\\x000a0d095c2e00ff', NULL);
INSERT INTO dlfileentry
SELECT 300000 + i, 20097, 20101, i % 100, (40000 + i)::text, 'Document ' || i, 'pdf', 'application/pdf', '1.' || i % 4, pg_temp.pick(i, 30, 1000000)
FROM generate_series(1::bigint, ${n.documents}) AS i;
INSERT INTO cms.scratch SELECT i, md5(i::text) FROM generate_series(1, 300) AS i;
`;

/** Noise, prose, an empty one, one with a hole of megabytes, one nobody refers to, one with rights and a comment. */
const largeObjectsSql = (n: RowCounts): string => `
INSERT INTO dlcontent
SELECT i, 20097, 'document/' || i, '1.0',
       lo_from_bytea((${firstLargeObject} + i)::oid,
         CASE WHEN i % 5 = 0 THEN pg_temp.noise(7000 + i, ${n.largeObjectKib})
              ELSE convert_to((SELECT repeat(string_agg(body, chr(10) ORDER BY id), 3) FROM ${poolTable}
                               WHERE id BETWEEN 1 + (i * 37) % greatest(${n.paragraphs} - ${n.largeObjectKib}, 1)
                                            AND (i * 37) % greatest(${n.paragraphs} - ${n.largeObjectKib}, 1) + ${n.largeObjectKib} / 2), 'UTF8') END),
       ${n.largeObjectKib} * 1024
FROM generate_series(1, ${n.largeObjects}) AS i;
SELECT lo_create(${firstLargeObject});
INSERT INTO dlcontent VALUES (0, 20097, 'empty', '1.0', ${firstLargeObject}, 0);
SELECT lo_from_bytea(${firstLargeObject - 1}, 'before the hole');
SELECT lo_put(${firstLargeObject - 1}, 3000000, 'after the hole');
INSERT INTO dlcontent VALUES (-1, 20098, 'sparse', '1.1', ${firstLargeObject - 1}, 3000014);
SELECT lo_from_bytea(${firstLargeObject - 2}, '\\x00ff00');
COMMENT ON LARGE OBJECT ${firstLargeObject - 2} IS 'nobody refers to it';
GRANT SELECT ON LARGE OBJECT ${firstLargeObject - 2} TO PUBLIC;
`;

/** Values that a careless copy spoils. */
export const trickySql = (major: number): string => `
INSERT INTO cms.without_columns DEFAULT VALUES;
INSERT INTO cms.without_columns DEFAULT VALUES;
INSERT INTO cms.booking VALUES
  (1, '[2024-01-01 10:00+00, 2024-01-01 11:00+00)', 'Ada'), (1, '[2024-01-01 11:00+00, infinity)', NULL), (2, 'empty', NULL);
INSERT INTO "Mixed Case"."Order" VALUES (1, 'by', DEFAULT, true, '"', NULL), (2, NULL, '', NULL, '''', ' ');
INSERT INTO "naïve – 名前"."таблица; DROP TABLE x" VALUES (1, 'ä', 'a.b', E'\\t'), (2, E'e\\u0301', E'\\u00e9', NULL);
INSERT INTO "Mixed Case"."Tricky text"
SELECT row_number() OVER (), value FROM unnest(ARRAY[
  NULL, '', ' ', E'\\n', E'\\r\\n', E'\\t', E'\\\\', E'\\\\.', E'\\\\N', E'line\\n\\\\.\\nline', '\\N', 'NULL', 'null', E'\\b\\f\\v\\x01\\x7f',
  'a,b;c"d''e', '$$', '$1', '%s %n', '\\x41', E'\\u2028\\u2029\\ufeff', '👩‍👩‍👧‍👦 ́', 'עברית العربية', repeat('long ', 200000), repeat(E'\\n', 1000)
]) AS value;
INSERT INTO "Mixed Case"."Extreme values" VALUES
  (1, -32768, -9223372036854775808, 'NaN', 'NaN', 'NaN', '-infinity', '-infinity', '-178000000 years', B'', '0.0.0.0/0', '00:00:00:00:00:00',
   '((0,0),(1e-300,1e300))', '00000000-0000-0000-0000-000000000000', ' [ 1 ,2]', '', '{}', 'empty', '\\001'),
  (2, 32767, 9223372036854775807, ${major >= 14 ? "'Infinity'" : "1e1000"}, 'Infinity', '-Infinity', 'infinity', 'infinity',
   '1 mon -1 day 00:00:00.000001', B'1010101', 'fe80::1/64', 'ff:ff:ff:ff:ff:ff', NULL, NULL, 'null', 'a:1A b:2,3B', '{NULL,"NULL",""}', '[,]', 'x'),
  (3, 0, 0, -1.10e-100, '1e-45', '5e-324', '4713-01-01 00:00:00+00 BC', '4713-01-01 BC', '0', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, 0, 0, 1.000, 3.4028235e38, '1.7976931348623157e308', '294276-12-31 23:59:59.999999+00', '5874897-12-31', '00:00:00.1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (5, 0, 0, 12345678901234567890.123456789012345678901234567890, 0.1, '-0', '2024-03-31 01:30:00+00', '2024-02-29', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT setval('cms.counts_down', -25), setval('cms.short_one', 7, false), nextval('"Mixed Case"."Free Sequence"');
`;

/** Makes one materialised view stale: its query would give other rows than it holds. */
export const staleViewSql = `INSERT INTO analytics.page_view VALUES ('2024-03-01', 1, -1, 1, 'after the last refresh');`;
/** The view that `staleViewSql` makes stale; a restore brings it back fresh. */
export const staleView = "analytics.views_per_page";
