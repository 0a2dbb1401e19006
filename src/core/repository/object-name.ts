import { Failure } from "../failure.ts";

/** Rejects names that a store could not hold, or that would lead out of the repository. */
export function assertObjectName(name: string): void {
  const legal = name
    .split("/")
    .every((part) => /^[A-Za-z0-9._-]{1,255}$/.test(part) && part !== "." && part !== "..");
  if (!legal) throw new Failure("data-damaged", `"${name}" is not a name that a repository can hold.`);
}
