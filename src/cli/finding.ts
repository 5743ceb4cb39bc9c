/** What `plinth doctor` says of one part. */
export interface Finding {
  readonly part: string;
  /** missing: something cannot work · absent: fine until it is asked for. */
  readonly state: 'ok' | 'absent' | 'missing';
  readonly says: string;
  readonly cure: string;
}
