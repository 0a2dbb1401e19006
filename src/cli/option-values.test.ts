import { describe, expect, test } from "vitest";
import * as core from "../core/repository/layout.ts";
import { InvalidValue } from "./command.ts";
import {
  application,
  bucketUrl,
  byteRate,
  databaseUrl,
  durationSeconds,
  folderUrl,
  fraction,
  moment,
  planHash,
  projectId,
  projectIdPattern,
  repositoryUrl,
  sourcePath,
  subset,
  tableName,
  tablePattern,
  tools,
  wholeNumber,
} from "./option-values.ts";

const nowMs = Date.parse("2026-11-24T15:00:00Z");
const parsers = {
  byteRate,
  durationSeconds,
  fraction,
  subset,
  projectId,
  application,
  bucketUrl,
  databaseUrl,
  folderUrl,
  repositoryUrl,
  tools,
  tableName,
  tablePattern,
  sourcePath,
  planHash,
  jobs: wholeNumber(1, 64),
  since: moment("start", () => nowMs),
  until: moment("end", () => nowMs),
};

describe("right values", () => {
  test.each<[keyof typeof parsers, string, unknown]>([
    ["byteRate", "20MB", 20_000_000],
    ["byteRate", "20 MB/s", 20_000_000],
    ["byteRate", "1.5GiB", 1_610_612_736],
    ["byteRate", "500000", 500_000],
    ["byteRate", "64k", 64_000],
    ["durationSeconds", "30s", 30],
    ["durationSeconds", "1h30m", 5400],
    ["durationSeconds", "24h", 86_400],
    ["durationSeconds", "2d", 172_800],
    ["durationSeconds", "500ms", 0.5],
    ["fraction", "50%", 0.5],
    ["bucketUrl", "S3://doclib/site/?region=eu-central-1", "s3://doclib/site?region=eu-central-1"],
    ["bucketUrl", "s3://doclib?ca=/etc/x/../ca.pem", "s3://doclib?ca=/etc/ca.pem"],
    ["bucketUrl", "s3://doclib?ca=ca.pem", `s3://doclib?ca=${process.cwd()}/ca.pem`],
    ["repositoryUrl", "s3://backups/lc2/", "s3://backups/lc2"],
    ["repositoryUrl", "/srv/backups/", "file:///srv/backups"],
    ["fraction", "0.25", 0.25],
    ["fraction", "100%", 1],
    ["fraction", "0", 0],
    ["subset", "3/10", { part: 3, of: 10 }],
    ["projectId", "retail-2", "retail-2"],
    ["application", "drupal", "drupal"],
    ["jobs", "64", 64],
    ["tools", "17", "17"],
    ["tools", "/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/17/bin"],
    ["tableName", "public.layout", "public.layout"],
    ["tablePattern", "cache_*", "cache_*"],
    ["sourcePath", "reports/**", "reports/**"],
    ["planHash", "0123456789abcdef", "0123456789abcdef"],
    ["folderUrl", "/srv/a b/ü", "file:///srv/a%20b/%C3%BC"],
    ["folderUrl", "/srv/x/../y/", "file:///srv/y"],
    ["folderUrl", "file:///srv/dl/", "file:///srv/dl"],
    ["databaseUrl", "postgres://app@db:5432/lportal", "postgres://app@db:5432/lportal"],
    ["databaseUrl", "postgresql://db/x?sslmode=verify-full", "postgresql://db/x?sslmode=verify-full"],
    ["databaseUrl", "postgres:///x?host=/var/run/postgresql", "postgres:///x?host=/var/run/postgresql"],
    ["databaseUrl", "postgres://?service=prod", "postgres://?service=prod"],
    ["databaseUrl", "postgres://a:5432,b:5433/x", "postgres://a:5432,b:5433/x"],
    ["databaseUrl", "postgres://[::1]:5432/x", "postgres://[::1]:5432/x"],
    ["since", "2026-11-24", Date.parse("2026-11-24T00:00:00.000Z")],
    ["until", "2026-11-24", Date.parse("2026-11-24T23:59:59.999Z")],
    ["since", "2026-11-24T14:00", Date.parse("2026-11-24T14:00:00Z")],
    ["since", "2026-11-24 14:00:30+02:00", Date.parse("2026-11-24T12:00:30Z")],
    ["since", "7d", nowMs - 7 * 86_400_000],
    ["until", "90m", nowMs - 90 * 60_000],
  ])("%s reads %j", (name, written, expected) => {
    expect(parsers[name](written)).toEqual(expected);
  });

  test("a relative folder is one below the current folder", () => {
    expect(folderUrl("backups")).toBe(new URL("backups", `file://${process.cwd()}/`).href);
  });
});

describe("wrong values", () => {
  test.each<[keyof typeof parsers, string, string]>([
    ["byteRate", "fast", "is not a rate"],
    ["byteRate", "20XB", "is not a rate"],
    ["byteRate", "0", "is not a rate"],
    ["byteRate", "-5MB", "is not a rate"],
    ["byteRate", "99999999999999TB", "is not a rate"],
    ["byteRate", "20", "less than 1 kB a second"],
    ["durationSeconds", "24", "is not a duration"],
    ["durationSeconds", "1h x", "is not a duration"],
    ["durationSeconds", "-1h", "is not a duration"],
    ["durationSeconds", "1y", "is not a duration"],
    ["durationSeconds", "99999w", "longer than a hundred years"],
    ["fraction", "101%", "is not a share"],
    ["fraction", "50", "is not a share"],
    ["fraction", "half", "is not a share"],
    ["subset", "0/10", "is not a part"],
    ["subset", "11/10", "is not a part"],
    ["subset", "1", "is not a part"],
    ["projectId", "Retail", "is not a project id"],
    ["projectId", "-a", "is not a project id"],
    ["projectId", "a/b", "is not a project id"],
    ["projectId", "a".repeat(64), "is not a project id"],
    ["application", "joomla", "known are liferay, drupal, bloomreach"],
    ["jobs", "0", "is not a whole number from 1 to 64"],
    ["jobs", "65", "is not a whole number from 1 to 64"],
    ["jobs", "1.5", "is not a whole number from 1 to 64"],
    ["jobs", "0x10", "is not a whole number from 1 to 64"],
    ["tools", "3", "is not a PostgreSQL major"],
    ["tools", "17.2", "write the major alone, such as 17"],
    ["tableName", "layout", "write schema.name"],
    ["tableName", "public.", "write schema.name"],
    ["tablePattern", ".layout", "is not a table pattern"],
    ["sourcePath", "../etc/passwd", "leads out of the source"],
    ["sourcePath", "a/../../b", "leads out of the source"],
    ["planHash", "ABC", "is not a plan's hash"],
    ["folderUrl", "s3://bucket/x", "a bucket is given by --bucket"],
    ["folderUrl", "gs://bucket", "folders and S3 buckets, no gs: store"],
    ["bucketUrl", "/srv/x", "is no bucket; write s3://"],
    ["bucketUrl", "gs://bucket", "folders and S3 buckets, no gs: store"],
    ["bucketUrl", "minio://host/bucket", "the server's address goes behind it"],
    ["bucketUrl", "https://host/bucket", "the server's address goes behind it"],
    ["bucketUrl", "s3://b_", "no name of a bucket"],
    ["bucketUrl", "s3://bucket?endpoint=host:7070", "is no endpoint"],
    ["repositoryUrl", "s3://b_", "no name of a bucket"],
    ["repositoryUrl", "https://host/bucket", "the server's address goes behind it"],
    ["folderUrl", "ftp://host/x", "is not a kind of folder"],
    ["folderUrl", "file://otherhost/x", "is not a file URL of this machine"],
    ["folderUrl", "file:///a%2fb", "is not a file URL of this machine"],
    ["databaseUrl", "lportal", "is not a database URL"],
    ["databaseUrl", "host=db dbname=x password=secret", "is not a database URL"],
    ["databaseUrl", "postgres:db/x", "is not a database URL"],
    ["databaseUrl", "postgres://db", "names no database"],
    ["databaseUrl", "postgres://db:notaport/x", "a port that is not a number"],
    ["databaseUrl", "mysql://db/x", "PostgreSQL only"],
    ["databaseUrl", "mongodb://db/x", "PostgreSQL only"],
    ["since", "24.11.2026", "is not a time"],
    ["since", "2026-02-30", "is not a time"],
    ["since", "2026-11-24T25:00", "is not a time"],
    ["since", "yesterday", "is not a time"],
  ])("%s says what is wrong with %j", (name, written, sentence) => {
    expect(() => parsers[name](written)).toThrowError(InvalidValue);
    expect(() => parsers[name](written)).toThrowError(sentence);
  });

  test.each([
    "postgres://app:secret@db/x",
    "postgres://app:se/cret@db/x",
    "postgres://app:se@cret@db/x",
    "postgres://db/x?user=app&password=secret",
    "postgres://db/x?sslpassword=secret",
    "postgres://app:secret@/x?host=/tmp",
  ])("the password in %s is refused and never repeated", (url) => {
    const refusal = (() => {
      try {
        return databaseUrl(url);
      } catch (error) {
        return error;
      }
    })();
    expect(refusal).toBeInstanceOf(InvalidValue);
    expect(refusal).toMatchObject({ code: "password-on-command-line" });
    expect((refusal as InvalidValue).message).not.toMatch(/se.?cret/);
  });

  test.each([
    "s3://AKIA:hunter2@doclib/x",
    "s3://doclib?secret=hunter2",
    "s3://doclib?endpoint=http://AKIA:hunter2@host",
  ])("the credentials in %s are refused and never repeated", (url) => {
    for (const parse of [bucketUrl, repositoryUrl]) {
      expect(() => parse(url)).toThrowError(expect.objectContaining({ code: "password-on-command-line" }));
      expect(() => parse(url)).not.toThrowError("hunter2");
    }
  });

  test("stores and databases of later versions have a code of their own", () => {
    expect(() => folderUrl("gs://b")).toThrowError(expect.objectContaining({ code: "not-available" }));
    expect(() => repositoryUrl("az://b")).toThrowError(expect.objectContaining({ code: "not-available" }));
    expect(() => databaseUrl("mysql://db/x")).toThrowError(
      expect.objectContaining({ code: "not-available" }),
    );
  });
});

test("project ids are what the core says they are", () => {
  expect(projectIdPattern.source).toBe(core.projectIdPattern.source);
});
