import type { ApplicationProfile } from "./application-profile.ts";

/** Drupal 9 and later. Managed files lie below `sites/{site}/files`; the rest there is made from them. */
export const drupal: ApplicationProfile = {
  name: "drupal",
  title: "Drupal",
  fileStore: "sites/*/files",
  generatedFiles: [
    { pattern: "/styles/", madeAgain: "image styles, when an image is asked for" },
    { pattern: "/css/", madeAgain: "aggregated style sheets, when a page is shown" },
    { pattern: "/js/", madeAgain: "aggregated scripts, when a page is shown" },
    { pattern: "/php/", madeAgain: "compiled templates, when a page is shown" },
    { pattern: "/tmp/", madeAgain: "temporary files" },
  ],
  disposableTables: ["cache_*", "cachetags", "sessions", "watchdog", "semaphore", "flood"],
};
