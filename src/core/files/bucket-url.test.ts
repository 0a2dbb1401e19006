import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatBucketUrl, isSameBucket, isSamePlace, keyOfPlaceIn, parseBucketUrl } from "./bucket-url.ts";

describe("a bucket's URL", () => {
  it("names bucket, prefix and how to reach them", () => {
    const url =
      "s3://doclib/site/docs?endpoint=http://127.0.0.1:7070&region=eu-central-1&profile=backup&ca=/etc/ca.pem&min-tls=1.3&path-style=false&storage-class=STANDARD_IA";
    const place = {
      bucket: "doclib",
      prefix: "site/docs/",
      endpoint: "http://127.0.0.1:7070",
      region: "eu-central-1",
      profile: "backup",
      caFile: "/etc/ca.pem",
      minimumTls: "1.3",
      pathStyle: false,
      storageClass: "STANDARD_IA",
    };
    expect(parseBucketUrl(url)).toEqual({ place });
    expect(parseBucketUrl("S3://doclib")).toEqual({ place: { bucket: "doclib", prefix: "" } });
    expect(parseBucketUrl("s3://doclib/")).toEqual({ place: { bucket: "doclib", prefix: "" } });
  });

  it("has one spelling for one place", () => {
    const canonical = "s3://doclib/a%20b/c%3F?endpoint=https://s3.example.org&region=x%26y";
    for (const url of [
      canonical,
      "s3://doclib/a b/c%3f/?region=x%26y&endpoint=https://S3.example.org/",
      "s3://doclib/a%20b/c%3F/?endpoint=https%3A%2F%2Fs3.example.org&region=x%26y",
    ]) {
      const parsed = parseBucketUrl(url);
      expect("place" in parsed && formatBucketUrl(parsed.place), url).toBe(canonical);
    }
  });

  it("is read as it was written, whatever the prefix", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (text) => {
        const place = { bucket: "doclib", prefix: `${text.replaceAll("\\", "")}/` };
        expect(parseBucketUrl(formatBucketUrl(place))).toEqual({ place });
      }),
      { examples: [["/"], ["a/"], ["a//"], ["/a"]] },
    );
  });

  it.each([
    ["s3:/doclib", "is no bucket"],
    ["s3://", "no name of a bucket"],
    ["s3://a_/x", "no name of a bucket"],
    ["s3://AKIAX:hunter2@doclib/x", "carries credentials"],
    ["s3://doclib?endpoint=http://AKIAX:hunter2@host", "carries credentials"],
    ["s3://doclib?secret_access_key=hunter2", "carries credentials"],
    ["s3://doclib?endpoint=host:7070", "no endpoint"],
    ["s3://doclib?endpoint=http://host/path", "no endpoint"],
    ["s3://doclib?endpont=http://host", "no parameter"],
    ["s3://doclib?region=a&region=b", "twice"],
    ["s3://doclib?region=", "no value for region"],
    ["s3://doclib?min-tls=1.1", "1.2 or 1.3"],
    ["s3://doclib?path-style=yes", "true or false"],
    ["s3://doclib?storage-class=cheap", "no storage class"],
    ["s3://doclib?storage-class=DEEP_ARCHIVE", "brought back"],
    ["s3://doclib/%ff", "not percent-encoded"],
    ["s3://doclib?region=%ff", "not percent-encoded"],
  ])("is refused: %s", (url, words) => {
    const parsed = parseBucketUrl(url);
    expect("problem" in parsed && parsed.problem).toContain(words);
    expect(JSON.stringify(parsed)).not.toContain("hunter2");
    const code = words === "carries credentials" ? "password-on-command-line" : "request-invalid";
    expect("problem" in parsed && parsed.code).toBe(code);
  });

  it("tells whether two are of one bucket", () => {
    const place = { bucket: "doclib", prefix: "a/", endpoint: "http://host" };
    expect(isSameBucket(place, { ...place, prefix: "b/", profile: "other" })).toBe(true);
    expect(isSameBucket(place, { bucket: "doclib", prefix: "a/" })).toBe(false);
    expect(isSameBucket(place, { ...place, bucket: "other" })).toBe(false);
  });

  it.each([
    ["http://localhost:7070", "http://127.0.0.1:7070", true],
    ["http://localhost:7070", "http://[::1]:7070", true],
    ["http://localhost:7070", "http://localhost:7071", false],
    ["http://store.example", "http://store.example:80", true],
    ["https://store.example.", "https://store.example:0443", true],
    ["https://store.example", "http://store.example", false],
    ["https://store.example", "https://store2.example", false],
    ["https://s3.eu-central-1.amazonaws.com", undefined, true],
    ["https://s3.dualstack.eu-central-1.amazonaws.com", "https://s3.amazonaws.com", true],
    ["https://s3.amazonaws.com.evil.example", undefined, false],
  ])("knows a store under each of its endpoints: %s and %s", (one, other, isSame) => {
    const place = (endpoint: string | undefined) => ({
      bucket: "doclib",
      prefix: "",
      ...(endpoint === undefined ? {} : { endpoint }),
    });
    expect(isSameBucket(place(one), place(other))).toBe(isSame);
  });

  it("tells whether two name the same place, however it is spelled", () => {
    const url = "s3://doclib/site?endpoint=http://host";
    expect(isSamePlace(url, url)).toBe(true);
    expect(isSamePlace(url, "s3://doclib/site/?profile=other&endpoint=http://host/&min-tls=1.3")).toBe(true);
    expect(isSamePlace(url, "s3://doclib/site")).toBe(false);
    expect(isSamePlace(url, "s3://doclib/other?endpoint=http://host")).toBe(false);
    expect(isSamePlace(url, "file:///site")).toBe(false);
    expect(isSamePlace("file:///site", "file:///site")).toBe(true);
    expect(isSamePlace("file:///site", "file:///other")).toBe(false);
  });

  it("tells where one lies in another", () => {
    const place = { bucket: "doclib", prefix: "a/", endpoint: "http://host" };
    expect(keyOfPlaceIn(place, { ...place, prefix: "a/b/c/" })).toBe("b/c/");
    expect(keyOfPlaceIn(place, { ...place, profile: "other" })).toBe("");
    expect(keyOfPlaceIn(place, { ...place, prefix: "ab/" })).toBeUndefined();
    expect(keyOfPlaceIn(place, { ...place, bucket: "other", prefix: "a/b/" })).toBeUndefined();
  });
});
