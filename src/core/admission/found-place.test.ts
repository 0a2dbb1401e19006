import { describe, expect, it } from "vitest";
import { bucketNames, databaseNames, folderNames, namesOf, toKnownPlaces } from "./found-place.ts";

describe("a database", () => {
  const database = { startedAtUs: "1700", database: "my shop", oid: "16384" };

  it("is the system and its name or oid, so that a swap and a change of its name leave one of them", () => {
    expect(databaseNames({ ...database, systemIdentifier: "7" })).toEqual([
      "postgres-system://7/my%20shop",
      "postgres-system://7?oid=16384",
    ]);
  });

  it("is told by the server's start where the role may not ask for more, and by its name before it is made", () => {
    expect(databaseNames(database)[0]).toBe("postgres-started://1700/my%20shop");
    const { oid: _, ...missing } = database;
    expect(databaseNames({ ...missing, systemIdentifier: "7" })).toEqual(["postgres-system://7/my%20shop"]);
  });
});

it("a folder is its real path, and the number of what of it exists", () => {
  const found = { machine: "m", device: "1", inode: "2", missing: ["a", "b"] };
  expect(folderNames({ ...found, realUrl: "file:///data/./x%20y/a/b" })).toEqual([
    "file:///data/x y/a/b",
    "inode://m/1:2/a/b",
  ]);
});

describe("a bucket", () => {
  const place = { bucket: "media", prefix: "site/" };

  it.each([
    ["https://s3.eu-central-1.amazonaws.com", false, "s3://media/site"],
    ["https://store.example.org:443", false, "s3://media/site?endpoint=store.example.org:443"],
    ["http://minio.internal:9000", true, "s3://media/site?endpoint=localhost:9000"],
    ["http://[::1]:9000", true, "s3://media/site?endpoint=localhost:9000"],
  ])("at %s is the store that requests go to, and its part", (url, isThisMachine, name) => {
    expect(bucketNames(place, { url, isThisMachine })).toEqual([name]);
  });
});

it("what is known of a place adds to its spelling", () => {
  const known = toKnownPlaces([{ place: "postgres://db/shop", names: ["postgres-system://7/shop"] }]);
  expect(namesOf({ database: { url: "postgres://me@DB/shop" } }, known)).toEqual([
    "postgres://db/shop",
    "postgres-system://7/shop",
  ]);
  expect(namesOf({ storage: { url: "file:///srv" } }, known)).toEqual(["file:///srv"]);
});
