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
    ["postgres://db/shop", "postgres://app@db./sh%6Fp"],
    ["postgres://db:5433/shop", "postgres://app@/?host=DB&port=5433&dbname=shop"],
    ["postgres://db/shop", "postgres://other/none?port=5432&dbname=shop&host=db"],
    ["postgres://10.0.0.1/shop", "postgres://db/shop?hostaddr=10.0.0.1"],
    ["postgres://[fe80::A]/shop", "postgres://[fe80::a]:5432/shop"],
    ["postgres:///shop?service=main", "postgres:///shop?sslmode=require&service=main"],
    ["file:///srv/files", "file:///srv/files/"],
    ["file:///srv/files", "FILE://localhost/srv/./x/%2e%2E//f%69les//"],
    ["file:///srv/files", "file:/srv\\files#x?y"],
    ["file:///srv/a%zz", "file:///srv//a%zz"],
    ["s3://media", "s3://media?endpoint=https://s3.eu-central-1.amazonaws.com"],
    ["s3://media?endpoint=https://H:443", "s3://media?endpoint=https://h./"],
    ["s3://media?endpoint=http://127.0.0.1:80", "s3://media?endpoint=http://localhost"],
    ["s3://media/a?region=eu&profile=x", "s3://media/a/"],
    ["s3://media?endpoint=http://h:1&path-style=true", "s3://media/?endpoint=http://h:1"],
  ])("are one for %s and %s", (one, other) => {
    expect(placeOf(one)).toBe(placeOf(other));
  });

  it.each([
    ["postgres://app@db/shop", "postgres://app@db/other"],
    ["postgres://app@db/shop", "postgres://app@db:5433/shop"],
    ["postgres:///shop?host=/run/a", "postgres:///shop?host=/run/b"],
    ["postgres:///shop?service=a", "postgres:///shop?service=b"],
    ["postgres://db/shop", "postgres://db/Shop"],
    ["file:///srv/a", "file:///srv/b"],
    ["file:///srv/a", "file:///srv/A"],
    ["file:///srv/a%252e", "file:///srv/a."],
    ["s3://media/a", "s3://media/b"],
    ["s3://media?endpoint=http://h:1", "s3://media?endpoint=http://h:2"],
    ["file:///", "file:///a"],
  ])("are two for %s and %s", (one, other) => {
    expect(placeOf(one)).not.toBe(placeOf(other));
  });

  it("name nobody who connects", () => {
    expect(placeOf("postgres://app:secret@db/shop?host=h")).toBe("postgres://h/shop");
    expect(placeOf("postgres://app:secret@db")).toBe("postgres://db/app");
    expect(placeOf("postgres://app:secret@db:port/shop")).toBe("postgres://db:port/shop");
    expect(placeOf("s3://")).toBe("s3://");
    expect(placeOf("other://x/")).toBe("other://x");
  });
});
