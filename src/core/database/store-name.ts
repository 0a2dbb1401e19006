/**
 * A database's name in the form a repository can hold: ASCII letters, digits, `.`, `_`, `-` stay, every
 * other byte of its UTF-8 form becomes `_` and two hexadecimal digits. Not to be turned back: metadata has
 * the name itself. At most 189 characters, for 63 bytes of name. Pure.
 */
export function storeName(name: string): string {
  const escaped = [...utf8Bytes(name)]
    .map((byte, index) => {
      const character = String.fromCharCode(byte);
      const plain = /[A-Za-z0-9_-]/.test(character) || (character === "." && index > 0);
      return plain ? character : `_${byte.toString(16).padStart(2, "0")}`;
    })
    .join("");
  return escaped === "" ? "_" : escaped;
}

function utf8Bytes(text: string): number[] {
  // encodeURIComponent is the language's own UTF-8 encoder; lone surrogates cannot be encoded.
  const encoded = encodeURIComponent(text.toWellFormed());
  return [...encoded.matchAll(/%([0-9A-F]{2})|(.)/g)].map(([, hex, character]) =>
    hex === undefined ? (character ?? "").charCodeAt(0) : Number.parseInt(hex, 16),
  );
}
