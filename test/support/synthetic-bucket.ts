/** What the made-up bucket of synthetic-bucket-server.ts holds. */
export const smallBytes = 2_000;
export const modifiedAt = new Date(1_700_000_000_000);
/** Comes after all the small ones. */
export const largeKey = "large";

export const smallKeyOf = (index: number): string =>
  `documents/${String(Math.floor(index / 500)).padStart(6, "0")}/document-${String(index).padStart(9, "0")}.html`;

export const smallEtag = (index: number): string => index.toString(16).padStart(32, "0");
