import type { ObjectFacts } from "../repository/manifest.ts";

/** What stores say of an object that was given no type. */
const defaultTypes = ["binary/octet-stream", "application/octet-stream"];

const texts = [
  "contentEncoding",
  "contentDisposition",
  "contentLanguage",
  "cacheControl",
  "expires",
  "websiteRedirectLocation",
] as const;

/**
 * Whether an object has the facts that are wanted for it. Where none are wanted (a folder's file), any will do. The
 * storage class is the store's own affair.
 */
export function haveSameObjectFacts(
  wanted: ObjectFacts | undefined,
  found: ObjectFacts | undefined,
): boolean {
  if (wanted === undefined) return true;
  const there = found ?? {};
  return (
    haveSameType(wanted.contentType, there.contentType) &&
    texts.every((name) => (wanted[name] ?? "") === (there[name] ?? "")) &&
    haveSameTexts(wanted.metadata, there.metadata) &&
    haveSameTexts(wanted.tags, there.tags)
  );
}

function haveSameType(wanted: string | undefined, found: string | undefined): boolean {
  const isDefault = (type: string | undefined) => type === undefined || defaultTypes.includes(type);
  return wanted === found || (isDefault(wanted) && isDefault(found));
}

function haveSameTexts(
  a: Readonly<Record<string, string>> = {},
  b: Readonly<Record<string, string>> = {},
): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
