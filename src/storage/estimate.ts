/** The browser's estimate of the site's storage; empty where there is none (WebKitGTK, insecure pages, forbidden storage). */
export async function storageEstimate(): Promise<StorageEstimate> {
  try {
    return await navigator.storage.estimate();
  } catch {
    return {};
  }
}
