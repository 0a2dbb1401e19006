import { formatBucketUrl, isBucketUrl, parseBucketUrl } from "../files/bucket-url.ts";

/** Usual spellings of the machine that does the work. */
const thisMachine = /^(?:localhost|127\.0\.0\.1|\[::1\])(?=:|$)/;

/** What an operation reads from or writes into. */
export interface NamedPlaces {
  readonly database?: { readonly url: string };
  readonly storage?: { readonly url: string };
}

/** One text for each database, folder or bucket that an operation works on. */
export function placesOf({ database, storage }: NamedPlaces): string[] {
  return [database, storage].flatMap((named) => (named === undefined ? [] : [placeOf(named.url)]));
}

/**
 * The place that a URL names, by its name alone: the same whoever connects and with which settings. Two names of one
 * place are two places here. Holds no user and no password.
 */
function placeOf(url: string): string {
  if (isBucketUrl(url)) {
    const parsed = parseBucketUrl(url);
    if (!("place" in parsed)) return url;
    const { bucket, prefix, endpoint } = parsed.place;
    return formatBucketUrl({ bucket, prefix, ...(endpoint === undefined ? {} : { endpoint }) });
  }
  const [, user = "", host = "", database = "", query = ""] =
    /^postgres(?:ql)?:\/\/(?:([^@/?]*)@)?([^/?]*)\/?([^?]*)\??(.*)$/i.exec(url) ?? [];
  if (!/^postgres/i.test(url)) return url.replace(/(?<=[^/])\/+$/, "");
  // These say where the database is in another way; everything is kept then, but who connects.
  const named = /(?:^|&)(?:host|hostaddr|port|dbname|service)=/.test(query) ? `?${query}` : "";
  const server = host
    .replace(/:5432$/, "")
    .toLowerCase()
    .replace(thisMachine, "localhost");
  return `postgres://${server}/${database === "" ? user.replace(/:.*$/, "") : database}${named}`;
}
