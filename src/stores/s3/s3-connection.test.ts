import { expect, test } from "vitest";
import { isExposedWay } from "./s3-connection.ts";

test.each([
  ["http://minio.lan:9000", true],
  ["http://127.example.org", true],
  ["http://localhost.example.org", true],
  ["http://localhost:9000", false],
  ["http://127.0.0.1:7070", false],
  ["http://[::1]:7070/", false],
  ["https://minio.lan:9000", false],
  [undefined, false],
])("the way to %s is exposed: %s", (endpoint, expected) => {
  expect(isExposedWay(endpoint)).toBe(expected);
});
