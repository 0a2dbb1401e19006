import type { IForbiddenRuleType, ICruiseOptions } from "dependency-cruiser";

/**
 * The layers of ARCHITECTURE.md, as rules a tool checks (`npm run check -- architecture`).
 * `cruise-tree.test.ts` plants one violation of each rule and expects it to be found, so that a rule that
 * no longer bites is noticed.
 */

const TESTS = "\\.test\\.ts$";

const whyEdgesDoNotMeet =
  "An edge talks to one thing outside. Edges that import each other can only be understood, replaced " +
  "and tested together; what two of them share belongs to core (a decision) or contract (a shape).";

export const layerRules: readonly IForbiddenRuleType[] = [
  {
    name: "core-imports-only-core",
    comment:
      "Core decides, and the same world must give the same decision: no I/O, no clock, no randomness. " +
      "Only so can every decision be tested by a table of cases and replayed after a crash. croner is arithmetic " +
      "with calendars: it is asked for times, and never starts a timer.",
    severity: "error",
    from: { path: "^src/core/", pathNot: TESTS },
    to: { pathNot: "^src/core/|^node_modules/croner/" },
  },
  {
    name: "core-imports-only-core",
    comment: "The tests of core may use the test runner, and nothing that would let core touch the world.",
    severity: "error",
    from: { path: `^src/core/.*${TESTS}` },
    to: { pathNot: "^src/core/|^node_modules/(vitest|fast-check)/" },
  },
  {
    name: "contract-imports-only-core",
    comment: "Wire shapes are read by every side; one that pulled in an edge would pull it in everywhere.",
    severity: "error",
    from: { path: "^src/contract/", pathNot: TESTS },
    to: { pathNot: "^src/(contract|core)/|^node_modules/typebox/" },
  },
  {
    name: "edges-do-not-meet",
    comment: whyEdgesDoNotMeet,
    severity: "error",
    // Whatever its name: a new folder of src is an edge.
    from: { path: "^src/(?!core/|contract/|main/|worker/|cli/|catalog/|databases/)([^/]+)/", pathNot: TESTS },
    to: { path: "^src/(?!main/)", pathNot: "^src/($1|core|contract)/" },
  },
  {
    name: "edges-do-not-meet",
    comment:
      `${whyEdgesDoNotMeet} How a PostgreSQL server is reached (URL, password, TLS) is one piece of knowledge ` +
      "of two: the databases that are backed up, and the catalog.",
    severity: "error",
    from: { path: "^src/(catalog|databases)/", pathNot: TESTS },
    to: { path: "^src/(?!main/)", pathNot: "^src/($1|postgres|core|contract)/" },
  },
  {
    name: "edges-do-not-meet",
    comment: `${whyEdgesDoNotMeet} The worker is built from the things that bytes come from and go to.`,
    severity: "error",
    from: { path: "^src/worker/", pathNot: TESTS },
    to: { path: "^src/(?!main/)", pathNot: "^src/(worker|core|contract|postgres|databases|stores|keys)/" },
  },
  {
    name: "edges-do-not-meet",
    comment: `${whyEdgesDoNotMeet} The command line will speak to a server through the typed client.`,
    severity: "error",
    from: { path: "^src/cli/", pathNot: TESTS },
    to: { path: "^src/(?!main/)", pathNot: "^src/(cli|core|contract|client)/" },
  },
  {
    name: "only-main-wires",
    comment:
      "One folder puts the parts together. An import of main from anywhere else would make a part know " +
      "which other parts it runs with.",
    severity: "error",
    from: { path: "^src/(?!main/)" },
    to: { path: "^src/main/" },
  },
  {
    name: "operator-never-streams",
    comment:
      "The long-lived processes, and the command line's in-process engine, hold no byte of a backup: " +
      "only a worker, which can be killed, limited and replaced, moves data. They start it as a program " +
      "and must not reach its code at any depth.",
    severity: "error",
    from: { path: "^src/main/(operator|serve|cli|service)\\.ts$" },
    to: { path: "^src/(databases|stores|worker)/", reachable: true },
  },
  {
    name: "clients-speak-http",
    comment:
      "What a person uses must work against a server far away: it may know the contract and how a " +
      "failure looks, not how the engine does its work.",
    severity: "error",
    from: { path: "^(src/(cli|client)|console)/", pathNot: TESTS },
    to: { path: "^src/", pathNot: "^src/(cli|client|contract|core)/" },
  },
  {
    name: "clients-speak-http",
    comment:
      "Of core a client takes shapes, failures and the form of ids and places; decisions are made where the catalog is.",
    severity: "error",
    from: { path: "^(src/(cli|client)|console)/", pathNot: TESTS },
    to: {
      path: "^src/core/",
      pathNot: "^src/core/(failure|repository/layout|files/bucket-url)\\.ts$",
      dependencyTypesNot: ["type-only"],
    },
  },
  {
    name: "no-cycles",
    comment: "Files in a circle can only be read, moved and tested as one.",
    severity: "error",
    from: {},
    to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
  },
  {
    name: "no-barrels",
    comment:
      "A file that only hands on others hides where things are and makes every import load everything, " +
      "which `lc2 --help` would pay for.",
    severity: "error",
    from: {},
    to: { path: "/index\\.ts$" },
  },
  {
    name: "no-tests-in-the-product",
    comment: "The product must not depend on what is only there to test or to show it.",
    severity: "error",
    from: { path: "^src/", pathNot: `${TESTS}|^src/main/` },
    to: { path: `^(test|demo|scripts)/|${TESTS}` },
  },
  {
    name: "no-unlisted-packages",
    comment: "A package that is there only because another one brought it disappears without notice.",
    severity: "error",
    from: { path: "^(src|demo)/", pathNot: TESTS },
    to: {
      dependencyTypes: ["npm-no-pkg", "npm-dev"],
      dependencyTypesNot: ["type-only"],
    },
  },
  {
    name: "imports-resolve",
    comment: "An import that leads nowhere is not checked by any other rule.",
    severity: "error",
    from: {},
    to: { couldNotResolve: true },
  },
];

export const cruiseOptions: ICruiseOptions = {
  // Without @swc/core this tool finds no module at all under TypeScript 7, and says nothing.
  parser: "swc",
  tsPreCompilationDeps: true,
  doNotFollow: { path: "node_modules" },
  enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "types"] },
};
