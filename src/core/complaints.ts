/** The mistakes that reading an expression finds. */
import type { Node } from './cel.ts';
import { EngineError, type ErrorCode } from './errors.ts';
import type { Walk } from './views.ts';

/** Notes a mistake at a node; of a field access, at the field. */
export function complain(walk: Walk, node: Node, code: ErrorCode, message: string, hint: string): void {
  const offset = walk.position.offset + (node.op === '.' || node.op === '.?' ? node.pos : node.start);
  walk.found.problems.push(new EngineError(code, message, { path: walk.position.at, offset, hint }));
}

/** A plain dot where nothing may be. `what`: the field as people write it. */
export function mayBeAbsent(what: string, field: string, node: Node, walk: Walk): void {
  const hint = node.op === '[]' ? `read it with \`[?"${field}"]\`` : `read it with \`.?${field}\`, or ask \`has(…)\` before`;
  complain(walk, node, 'InvalidExpression', `${what} may be absent, and a plain dot does not allow that`, hint);
}

/** A secret where it could be told apart. `where` ends the sentence. */
export function refuseSecret(node: Node, walk: Walk, where: string): void {
  complain(walk, node, 'SecretMisuse', `a secret is used ${where}`, 'secrets may flow only into `connection` or a field marked secret');
}
