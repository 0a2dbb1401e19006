import type { Problem } from "../problem.ts";
import type { Environment } from "./environment.ts";

/** How a request names a database or a set of files: by its place, or as one of the environment's. */
export interface NamedPlace {
  readonly url?: string;
  /** Its name in the environment; absent: the only one there. */
  readonly instance?: string;
}

export interface Chosen<Place> {
  readonly place?: Place;
  readonly problems: readonly Problem[];
}

type Part = "databases" | "storages";
const fieldOf = { databases: "database", storages: "storage" } as const;
const wordOf = { databases: "database", storages: "set of files" } as const;

/** The place that is meant, of those that an environment has. Without one the request must say where. Pure. */
export function choosePlace<P extends Part>(
  part: P,
  named: NamedPlace | undefined,
  environment: Environment | undefined,
): Chosen<Environment[P][number]> {
  const field = fieldOf[part];
  const wrong = (suffix: string, message: string): Chosen<never> => ({
    problems: [{ code: "request-invalid", field: `${field}.${suffix}`, message }],
  });
  if (environment === undefined) {
    if (named?.instance === undefined) return { problems: [] };
    return wrong(
      "instance",
      `"${named.instance}" is the name of a ${wordOf[part]} of an environment; name that too.`,
    );
  }
  if (named?.url !== undefined)
    return wrong(
      "url",
      `The environment ${environment.name} says where it is. Leave the URL or the environment out.`,
    );
  const all: readonly Environment[P][number][] = environment[part];
  const names = all.map(({ name }) => name).join(", ");
  if (named?.instance !== undefined) {
    const place = all.find(({ name }) => name === named.instance);
    if (place !== undefined) return { place, problems: [] };
    const has = names === "" ? "it has none" : `it has ${names}`;
    return wrong(
      "instance",
      `The environment ${environment.name} has no ${wordOf[part]} "${named.instance}"; ${has}.`,
    );
  }
  const [place, ...others] = all;
  if (place === undefined) return { problems: [] };
  if (others.length === 0) return { place, problems: [] };
  return wrong("instance", `The environment ${environment.name} has several of these: ${names}. Say which.`);
}
