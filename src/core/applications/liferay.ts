import type { ApplicationProfile } from "./application-profile.ts";

/**
 * Liferay DXP and Portal. The document library holds `{companyId}/{repositoryId}/…`; what the portal makes
 * from documents lies under repository 0 (CompanyConstants.SYSTEM): adaptive images under `adaptive/`
 * (AMStoreUtil), previews and thumbnails under `document_preview/` and `document_thumbnail/`
 * (DLPreviewableProcessor).
 */
export const liferay: ApplicationProfile = {
  name: "liferay",
  title: "Liferay DXP",
  fileStore: "document_library",
  generatedFiles: [
    { pattern: "*/thumbnails/*", madeAgain: "when a document is shown" },
    { pattern: "*/previews/*", madeAgain: "when a document is shown" },
    { pattern: "*/.cache/*", madeAgain: "when needed" },
    { pattern: "document_preview/", madeAgain: "when a document is shown, or by Server Administration" },
    { pattern: "document_thumbnail/", madeAgain: "when a document is shown, or by Server Administration" },
    { pattern: "0/adaptive/", madeAgain: "by Adaptive Media, Adapt Remaining Images" },
  ],
  disposableTables: [],
};
