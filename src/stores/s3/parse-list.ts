import type { ListObjectsV2CommandOutput, _Object as ListedObject } from "@aws-sdk/client-s3";

type ListAnswer = Pick<
  ListObjectsV2CommandOutput,
  "CommonPrefixes" | "Contents" | "EncodingType" | "IsTruncated" | "NextContinuationToken"
>;

const rootEnd = "</ListBucketResult>";
const begins = "<Contents>";
const ends = "</Contents>";

/**
 * What a list answers, of XML in the form that stores write it in: no attributes, prefixes or CDATA. Undefined for
 * any other form, and where it was cut: a full parser, as the client has one, takes ten times as long.
 */
export function parseList(xml: string): ListAnswer | undefined {
  if (!xml.trimEnd().endsWith(rootEnd) || xml.includes("<![CDATA[") || xml.includes("<Contents "))
    return undefined;
  const Contents: ListedObject[] = [];
  let rest = "";
  let from = 0;
  for (let at = xml.indexOf(begins); at >= 0; at = xml.indexOf(begins, from)) {
    const end = xml.indexOf(ends, at);
    if (end < 0) return undefined;
    rest += xml.slice(from, at);
    const object = parseObject(xml.slice(at + begins.length, end));
    if (object === undefined) return undefined;
    Contents.push(object);
    from = end + ends.length;
  }
  rest += xml.slice(from);
  const isTruncated = textOf(rest, "IsTruncated");
  // Some element is in another form.
  if (isTruncated !== "true" && isTruncated !== "false") return undefined;
  const CommonPrefixes = parsePrefixes(rest);
  if (CommonPrefixes === undefined) return undefined;
  const token = textOf(rest, "NextContinuationToken");
  const encoding = textOf(rest, "EncodingType");
  return {
    Contents,
    ...(CommonPrefixes.length === 0 ? {} : { CommonPrefixes }),
    IsTruncated: isTruncated === "true",
    ...(token === undefined ? {} : { NextContinuationToken: token }),
    ...(encoding === "url" ? { EncodingType: encoding } : {}),
  };
}

function parsePrefixes(xml: string): { Prefix: string }[] | undefined {
  const found: { Prefix: string }[] = [];
  for (const part of xml.split("<CommonPrefixes>").slice(1)) {
    const Prefix = textOf(part, "Prefix");
    if (Prefix === undefined) return undefined;
    found.push({ Prefix });
  }
  return found;
}

function parseObject(xml: string): ListedObject | undefined {
  const Key = textOf(xml, "Key");
  const size = textOf(xml, "Size");
  const modified = textOf(xml, "LastModified");
  if (Key === undefined || size === undefined || !/^\d+$/.test(size) || modified === undefined)
    return undefined;
  const LastModified = new Date(modified);
  if (Number.isNaN(LastModified.getTime())) return undefined;
  const ETag = textOf(xml, "ETag");
  const storageClass = textOf(xml, "StorageClass");
  return {
    Key,
    Size: Number(size),
    LastModified,
    ...(ETag === undefined ? {} : { ETag }),
    ...(storageClass === undefined
      ? {}
      : { StorageClass: storageClass as ListedObject["StorageClass"] & string }),
  };
}

function textOf(xml: string, name: string): string | undefined {
  const at = xml.indexOf(`<${name}>`);
  if (at < 0) return undefined;
  const from = at + name.length + 2;
  const end = xml.indexOf("<", from);
  if (end < 0 || !xml.startsWith(`</${name}>`, end)) return undefined;
  const text = xml.slice(from, end);
  return text.includes("&") ? text.replaceAll(/&(?:#(\d+)|#x([0-9A-Fa-f]+)|(\w+));/g, decodeEntity) : text;
}

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function decodeEntity(whole: string, decimal?: string, hexadecimal?: string, name?: string): string {
  if (name !== undefined) return entities[name] ?? whole;
  return String.fromCodePoint(
    decimal === undefined ? Number.parseInt(hexadecimal ?? "", 16) : Number(decimal),
  );
}
