import { expect, test } from "vitest";
import { normalizeRepositoryUrl } from "./repository-url.ts";

test.each([
  ["/srv/backups/", "file:///srv/backups"],
  ["file:///srv/x/../backups/", "file:///srv/backups"],
  [
    "S3://backups/lc2/?region=us-east-1&endpoint=http%3A%2F%2F127.0.0.1:7070/",
    "s3://backups/lc2?endpoint=http://127.0.0.1:7070&region=us-east-1",
  ],
  ["s3://backups?ca=/etc/x/../ca.pem", "s3://backups?ca=/etc/ca.pem"],
  ["s3://backups?ca=ca.pem", `s3://backups?ca=${process.cwd()}/ca.pem`],
])("a repository at %s is at %s", (given, spelled) => {
  expect(normalizeRepositoryUrl(given)).toBe(spelled);
});

test.each([
  ["", "request-invalid"],
  ["gs://bucket/path", "request-invalid"],
  ["file://otherhost/path", "request-invalid"],
  ["s3://_", "request-invalid"],
  ["s3://key:secret@bucket", "password-on-command-line"],
])("a repository at %j is refused", (given, code) => {
  expect(() => normalizeRepositoryUrl(given)).toThrowError(expect.objectContaining({ code }));
});
