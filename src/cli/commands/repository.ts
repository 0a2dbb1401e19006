import { defineCommand, defineGroup, flag, optionalOperand, value, valueOr } from "../command.ts";
import type { Problem } from "../command.ts";
import { exitCodes } from "../exit-codes.ts";
import { durationSeconds, repositoryUrl, subset } from "../option-values.ts";
import { projectFilter, repositoryOption } from "./shared-options.ts";

const place = {
  repository: optionalOperand(
    "[repository]",
    "a path, file:///… or s3://bucket/prefix?… (default: the installation's own)",
    repositoryUrl,
    {
      complete: "directory",
    },
  ),
};

interface Places {
  readonly arguments: { readonly repository: string | undefined };
  readonly options: { readonly repository: string | undefined };
}

/** As an argument or, as everywhere else, as an option. */
const repositoryOf = (input: Places): string | undefined =>
  input.arguments.repository ?? input.options.repository;

const twoPlaces = (input: Places): Problem[] =>
  input.arguments.repository !== undefined && input.options.repository !== undefined
    ? [
        {
          subject: "--repository",
          code: "usage",
          message: "names a second repository; leave one of them out",
        },
      ]
    : [];

const checkCommand = defineCommand({
  name: "check",
  summary: "look for damage in a repository",
  description:
    "Checks that every file of every backup is there in its right size; with --read-data every stored byte is read " +
    "and checked too. Needs no catalog. Unsealed leftovers are reported and are no damage; damage ends with exit code 6.",
  examples: [
    { command: "lc2 repository check", says: "quick: every file is there, in its size" },
    {
      command: "lc2 repository check /srv/backups --read-data-subset 3/30",
      says: "a thirtieth a day, all in a month",
    },
    {
      command: "lc2 repository check 's3://backups/lc2?region=eu-central-1'",
      says: "a repository in a bucket",
    },
  ],
  output: ["table", "json", "yaml"],
  arguments: place,
  options: {
    readData: flag("--read-data", "read and check every stored byte"),
    subset: value("--read-data-subset <n/m>", "read and check the n-th of m parts", subset),
    project: projectFilter,
    repository: { ...repositoryOption, hidden: true },
  },
  check: twoPlaces,
  run: async (context, input) => {
    const { readData, subset: part, project } = input.options;
    const result = await (
      await context.service()
    ).checkRepository(
      repositoryOf(input),
      {
        readData: readData || part !== undefined,
        ...(part === undefined ? {} : { subset: part }),
        ...(project === undefined ? {} : { projectId: project }),
      },
      context.waiting(),
    );
    const { showCheck } = await import("../pages/repository-pages.ts");
    context.print(result, () => showCheck(result, context));
    return result.damages.length > 0 ? exitCodes.integrity : exitCodes.done;
  },
});

const scanCommand = defineCommand({
  name: "scan",
  summary: "find every backup in a repository and put it into the catalog",
  description:
    "Rebuilds a lost catalog from the repository alone, and brings in backups that another machine made.",
  output: ["table", "json", "yaml", "name"],
  arguments: place,
  options: {
    dryRun: flag("--dry-run", "say what is found, leave the catalog as it is"),
    project: projectFilter,
    repository: { ...repositoryOption, hidden: true },
  },
  check: twoPlaces,
  run: async (context, input) => {
    const { project, dryRun } = input.options;
    const wish = { ...(project === undefined ? {} : { projectId: project }), dryRun };
    const service = await context.service();
    const result = await service.scanRepository(repositoryOf(input), wish, context.waiting());
    const { showScan } = await import("../pages/repository-pages.ts");
    context.print(result, () => showScan(result, context));
  },
});

const sweepCommand = defineCommand({
  name: "sweep",
  summary: "remove what no sealed backup needs: leftovers of runs that did not end",
  description:
    "Never touches what a sealed backup refers to, whoever made it, nor anything younger than --min-age.",
  output: ["table", "json", "yaml"],
  arguments: place,
  options: {
    dryRun: flag("--dry-run", "say what would be removed, remove nothing"),
    minimumAge: valueOr(
      "--min-age <time>",
      "leave what is younger alone; a backup may be writing it",
      durationSeconds,
      "24h",
    ),
    repository: { ...repositoryOption, hidden: true },
  },
  check: twoPlaces,
  run: async (context, input) => {
    const { dryRun, minimumAge } = input.options;
    const result = await (
      await context.service()
    ).sweepRepository(
      repositoryOf(input),
      { dryRun, minimumAgeSeconds: Math.round(minimumAge) },
      context.waiting(),
    );
    const { showSweep } = await import("../pages/repository-pages.ts");
    context.print(result, () => showSweep(result, dryRun, context));
  },
});

const setCopyCommand = defineCommand({
  name: "set-copy",
  summary: "say where the backups of a repository are copied to",
  description:
    "`lc2 backup copy` goes there when it has no --to. It is written into the repository, for everybody who uses it; " +
    "backups record nothing of it, and nothing is copied by this command.",
  examples: [
    { command: "lc2 repository set-copy /srv/backups --to 's3://elsewhere/lc2'", says: "from now on" },
    { command: "lc2 repository set-copy /srv/backups --none", says: "no longer" },
  ],
  output: ["table", "json", "yaml"],
  arguments: place,
  options: {
    to: value("--to <repository>", "a path, file:///… or s3://bucket/prefix?…", repositoryUrl, {
      complete: "directory",
    }),
    none: flag("--none", "nowhere any more"),
    repository: { ...repositoryOption, hidden: true },
  },
  check: (input) => [
    ...twoPlaces(input),
    ...((input.options.to !== undefined) === input.options.none
      ? [{ subject: "--to", code: "usage" as const, message: "or --none must be given, and not both" }]
      : []),
  ],
  run: async (context, input) => {
    const { to } = input.options;
    const service = await context.service();
    const target = to === undefined ? {} : { to };
    const result = await service.setCopyTarget(repositoryOf(input), target, context.waiting());
    context.print(result, () =>
      result.copyTo === undefined
        ? `Backups of ${result.repository} are not copied anywhere by default\n`
        : `Backups of ${result.repository} are copied to ${result.copyTo} by \`lc2 backup copy\`\n`,
    );
  },
});

const probeCommand = defineCommand({
  name: "probe",
  summary: "try out what the store of a repository can do",
  description:
    "Writes, reads, lists and deletes a few small objects of its own, and says for each thing that backups rely on " +
    "whether the store does it, and what follows. Makes no repository and leaves nothing behind. A store that cannot " +
    "be reached, written or read ends with the reason and its exit code; a `no` alone is no failure.",
  examples: [
    {
      command: "lc2 repository probe 's3://backups/lc2?endpoint=https://minio.example.org:9000'",
      says: "before the first backup into a bucket",
    },
  ],
  output: ["table", "json", "yaml"],
  arguments: place,
  options: { repository: { ...repositoryOption, hidden: true } },
  check: twoPlaces,
  run: async (context, input) => {
    const service = await context.service();
    const result = await service.probeRepository(repositoryOf(input), context.waiting());
    const { showProbe } = await import("../pages/repository-pages.ts");
    context.print(result, () => showProbe(result, context));
  },
});

export const repositoryGroup = defineGroup("repository", "check, scan, tidy up and try out repositories", [
  checkCommand,
  scanCommand,
  sweepCommand,
  setCopyCommand,
  probeCommand,
]);
