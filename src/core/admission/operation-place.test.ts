import { describe, expect, it } from "vitest";
import { placesOf } from "./operation-place.ts";

const placeOf = (url: string): string => placesOf({ storage: { url } }).join();

describe("the places of an operation", () => {
  it("are its database and its files, as far as it has them", () => {
    const database = { url: "postgres://app@db/shop" };
    const storage = { url: "file:///srv/files" };
    expect(placesOf({ database, storage })).toEqual(["postgres://db/shop", "file:///srv/files"]);
    expect(placesOf({ database })).toEqual(["postgres://db/shop"]);
    expect(placesOf({})).toEqual([]);
  });

  it.each([
    ["postgres://app@db/shop", "postgresql://other@DB:5432/shop?sslmode=require"],
    ["postgres://shop@db", "postgres://app@db/shop"],
    ["postgres://localhost/shop", "postgres://127.0.0.1/shop"],
    ["postgres://[::1]:5433/shop", "postgres://LOCALHOST:5433/shop"],
    ["postgres:///shop", "postgres:///shop?application_name=x"],
    ["file:///srv/files", "file:///srv/files/"],
    ["s3://media/a?region=eu&profile=x", "s3://media/a/"],
    ["s3://media?endpoint=http://h:1&path-style=true", "s3://media/?endpoint=http://h:1"],
  ])("are one for %s and %s", (one, other) => {
    expect(placeOf(one)).toBe(placeOf(other));
  });

  it.each([
    ["postgres://app@db/shop", "postgres://app@db/other"],
    ["postgres://app@db/shop", "postgres://app@db:5433/shop"],
    ["postgres:///shop?host=/run/a", "postgres:///shop?host=/run/b"],
    ["file:///srv/a", "file:///srv/b"],
    ["s3://media/a", "s3://media/b"],
    ["s3://media?endpoint=http://h:1", "s3://media?endpoint=http://h:2"],
    ["file:///", "file:///a"],
  ])("are two for %s and %s", (one, other) => {
    expect(placeOf(one)).not.toBe(placeOf(other));
  });

  it("name nobody who connects", () => {
    expect(placeOf("postgres://app:secret@db/shop?host=h")).toBe("postgres://db/shop?host=h");
    expect(placeOf("postgres://app:secret@db")).toBe("postgres://db/app");
    expect(placeOf("s3://")).toBe("s3://");
  });
});
