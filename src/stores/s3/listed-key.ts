import { decodeKey, encodeKey, type FileKey } from "../../core/repository/manifest.ts";

/**
 * The key of a listed object as the binary string of its bytes. With `encoding-type=url` stores write the bytes as
 * `%HH` and a blank as `+` or `%20`; a store that does not say that it encoded has written plain text.
 */
export function decodeListedKey(text: string, encoding: string | undefined): FileKey {
  if (encoding !== "url") return encodeKey(text);
  if (!/[%+\u0080-\uffff]/.test(text)) return text;
  return encodeKey(text.replaceAll("+", " ")).replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** The text that a request asks by for a key; undefined where its bytes are no UTF-8, which no request can say. */
export function requestKey(prefix: string, key: FileKey): string | undefined {
  const text = decodeKey(key);
  return text === undefined ? undefined : prefix + text;
}
