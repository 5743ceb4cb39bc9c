/** Values as YAML; a module of its own so that the library is loaded only when it is asked for. */
import { stringify } from 'yaml';
import type { Json } from '../core/types.ts';

/** The value as a YAML document. */
export function toYaml(value: Json): string {
  // Through JSON: shared parts would come out as anchors, and undefined members as nulls.
  return stringify(JSON.parse(JSON.stringify(value)), { lineWidth: 0, aliasDuplicateObjects: false });
}
