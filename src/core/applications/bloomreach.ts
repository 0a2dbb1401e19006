import type { ApplicationProfile } from "./application-profile.ts";

/**
 * Bloomreach Experience Manager. All content is in the database; the repository folder beside it holds the
 * Lucene indexes, which each node builds again at its start (hours on large repositories: keep them where
 * that matters).
 */
export const bloomreach: ApplicationProfile = {
  name: "bloomreach",
  title: "Bloomreach Experience Manager",
  fileStore: "repository",
  generatedFiles: [
    { pattern: "workspaces/*/index/", madeAgain: "the search index, at the next start" },
    { pattern: "/repository/index/", madeAgain: "the version history's search index, at the next start" },
  ],
  disposableTables: [],
};
