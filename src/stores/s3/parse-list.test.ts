import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseList } from "./parse-list.ts";

const escapeXml = (text: string): string => text.replaceAll(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const page = (contents: string, rest = "<IsTruncated>false</IsTruncated>"): string =>
  `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${rest}${contents}</ListBucketResult>`;

const one =
  "<Contents><Key>a&amp;b</Key><LastModified>2026-11-24T10:00:00.500Z</LastModified><ETag>&quot;e1&quot;</ETag>" +
  "<Owner><ID>o</ID><DisplayName>n</DisplayName></Owner><Size>7</Size><StorageClass>GLACIER</StorageClass></Contents>";

describe("a page of a list", () => {
  test("is read in the form that stores write it", () => {
    const rest =
      "<Name>b</Name><Prefix/><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>" +
      "<NextContinuationToken>t&#43;/=</NextContinuationToken>";
    expect(parseList(page(one, rest))).toEqual({
      Contents: [
        {
          Key: "a&b",
          Size: 7,
          LastModified: new Date("2026-11-24T10:00:00.500Z"),
          ETag: '"e1"',
          StorageClass: "GLACIER",
        },
      ],
      IsTruncated: true,
      NextContinuationToken: "t+/=",
      EncodingType: "url",
    });
    expect(parseList(page(""))).toEqual({ Contents: [], IsTruncated: false });
    const folders =
      "<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>";
    expect(parseList(page(one + folders))?.CommonPrefixes).toEqual([{ Prefix: "a/" }, { Prefix: "b/" }]);
  });

  test("has every key that was written, whatever is in it", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 0x10ffff }), { minLength: 1 }), (points) => {
        const key = String.fromCodePoint(...points);
        const contents = one + one.replace("a&amp;b", () => escapeXml(key));
        expect(parseList(page(contents))?.Contents?.map(({ Key }) => Key)).toEqual(["a&b", key]);
      }),
    );
  });

  test.each([
    ["is cut", page(one).slice(0, -5)],
    ["is cut within an object", page(one).replace("</Contents>", "")],
    ["is another document", "<Error><Code>InternalError</Code></Error>"],
    ["does not say whether it is the last", page(one, "")],
    ["has an object without a key", page(one.replace(/<Key>.*<\/Key>/, ""))],
    ["has an object without a size", page(one.replace("<Size>7</Size>", "<Size/>"))],
    ["has an object without a time", page(one.replace("2026-11-24T10:00:00.500Z", "yesterday"))],
    ["has a folder without a name", page("<CommonPrefixes></CommonPrefixes>")],
    ["has CDATA", page(one.replace("a&amp;b", "<![CDATA[a&b]]>"))],
    ["has attributes", page(one.replace("<Contents>", '<Contents x="y">'))],
  ])("is left to the full parser when it %s", (_, xml) => {
    expect(parseList(xml)).toBeUndefined();
  });
});
