export interface PullResult {
  applied: number;
  deleted: number;
  skipped: number;
  rejected: number;
  revision: number;
}
