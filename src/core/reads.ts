/** What an expression reads, found in its parsed form and checked against the schemas of its roots, before anything is evaluated. */

import { type Node, schemaOfType } from './cel.ts';
import { CONSTANTS } from './cel-library.ts';
import { complain, mayBeAbsent, refuseSecret } from './complaints.ts';
import { fieldsOf, propertyOf } from './schema-types.ts';
import { suggestion } from './similar.ts';
import type { Read } from './types.ts';
import { below, isNothing, isUnknown, itemOf, literal, nameOf, PLAIN, type Place, unite, VIEW, type View, type Walk } from './views.ts';

const LOOPS = new Set(['map', 'filter', 'all', 'exists', 'exists_one']);
const COMPARISONS = new Set(['==', '!=', '<', '<=', '>', '>=', 'in']);

/** Walks an expression; what it finds is appended to `walk.found`. */
export function walkExpression(node: Node, walk: Walk): View {
  return use(node, walk);
}

const quietly = (walk: Walk): Walk => ({ ...walk, found: { reads: [], problems: [], conditional: new Set(), secret: false } });
const within = (walk: Walk, facts: readonly string[]): Walk => (facts.length === 0 ? walk : { ...walk, facts: new Set([...walk.facts, ...facts]) });
const textOf = (node: Node, walk: Walk): string => walk.source.slice(node.start, node.end).replaceAll(/\s+/g, ' ');

/** Views a node and counts it as read. */
function use(node: Node, walk: Walk): View {
  const view = viewOf(node, walk);
  record(view, node, walk);
  return view;
}

function record({ place, schema }: View, node: Node, walk: Walk): void {
  if (place === undefined) return;
  if (schema?.[VIEW] === 'resource') {
    complain(walk, node, 'InvalidExpression', `\`${nameOf(place)}\` is a whole resource`, 'read a part of it: `.state`, `.spec` or `.secret`');
  }
  const { root, path, needs } = place;
  const standing = standingOf(place, walk);
  if (standing === 'conditional') walk.found.conditional.add(root);
  // A read that a condition proves keeps all its needs, but the absence of its root does not make the expression none.
  const optional = place.optional || standing === 'proven';
  const same = (read: Read): boolean => read.root === root && read.path === path && read.optional === optional && read.needs === needs;
  if (!walk.found.reads.some(same)) walk.found.reads.push({ root, path, optional, needs });
}

/** Whether the root of a place is surely there, proven by a condition, read so that its absence does no harm, or none of these. */
function standingOf({ root, optional, needs }: Place, walk: Walk): 'sure' | 'proven' | 'optional' | 'conditional' {
  const conditions = walk.roots.get(root)?.conditions;
  if (conditions === undefined) return 'sure';
  if (optional && needs === '') return 'optional';
  return conditions.length > 0 && conditions.every(condition => walk.facts.has(`cond ${condition}`)) ? 'proven' : 'conditional';
}

function viewOf(node: Node, walk: Walk): View {
  switch (node.op) {
    case 'value':
      return literal(node);
    case 'id':
      return identifier(node, walk);
    case '.':
    case '.?':
      return fieldOf(node, walk);
    case '[]':
    case '[?]':
      return indexOf(node, walk);
    case 'call':
      return callOf(node, walk);
    case 'rcall':
      return methodOf(node, walk);
    case '?:':
      return choiceOf(node, walk);
    case '&&':
    case '||':
      return logicOf(node, walk);
    case 'list':
      return listOf(node, walk);
    case 'map':
      return mapOf(node, walk);
    default:
      return operatorOf(node, walk);
  }
}

/** A view of a result that is no chain of fields: its type is what the library found. */
function computed(node: Node, walk: Walk, parts: readonly View[]): View {
  const type = node.checkedType?.name ?? 'dyn';
  const schema = schemaOfType(type, walk.schemas);
  return { schema, optional: type.startsWith('optional<'), secret: parts.some(part => part.secret) };
}

function identifier(node: Node, walk: Walk): View {
  const name = node.args as string;
  const variable = walk.variables.get(name);
  if (variable !== undefined) return variable;
  const root = walk.roots.get(name);
  if (root !== undefined) {
    return { schema: root.schema, optional: false, secret: false, place: { root: name, path: '', needs: '', optional: false, guard: name } };
  }
  if (!CONSTANTS.has(name)) complain(walk, node, 'InvalidExpression', `nothing is called \`${name}\` here`, suggestion(name, walk.roots.keys()));
  return PLAIN;
}

function fieldOf(node: Node, walk: Walk): View {
  const [inner, field] = node.args as [Node, string];
  return step(viewOf(inner, walk), field, node, walk);
}

/** One field further. A plain dot through what may be absent is a mistake unless a guard or an optional stands before it. */
function step(view: View, field: string, node: Node, walk: Walk): View {
  const isOptional = view.optional || node.op === '.?' || node.op === '[?]';
  const property = propertyOf(view.schema, field);
  const { place } = view;
  if (property === undefined) {
    const what = place === undefined ? 'the value before it' : `\`${nameOf(place)}\``;
    complain(walk, node, 'InvalidExpression', `${what} has no field \`${field}\``, suggestion(field, fieldsOf(view.schema)));
    return { ...PLAIN, optional: isOptional };
  }
  const { schema, present } = property;
  if (schema?.plinth === 'secret') {
    complain(walk, node, 'SecretMisuse', `\`${field}\` holds a secret, which cannot be read through \`.spec\``, 'read the secret where it comes from');
  }
  const secret = view.secret || schema?.['x-plinth-secret'] === true;
  if (secret) walk.found.secret = true;
  if (place === undefined) {
    if (!isOptional && !present && view.schema !== undefined && !isUnknown(view.schema, schema)) mayBeAbsent(`\`${field}\``, field, node, walk);
    return { schema, optional: isOptional, secret };
  }
  const next = below(place, field, field);
  const isGuarded = walk.facts.has(`has ${next.guard}`) || (field === 'outputs' && walk.facts.has(`ready ${place.guard}`));
  if (!isOptional && !present && !isGuarded && !isUnknown(view.schema, schema)) mayBeAbsent(`\`${nameOf(next)}\``, field, node, walk);
  const stops = isOptional || isGuarded;
  return { schema, optional: isOptional, secret, place: stops ? { ...next, optional: true, needs: place.needs } : next };
}

function indexOf(node: Node, walk: Walk): View {
  const [inner, index] = node.args as [Node, Node];
  const view = viewOf(inner, walk);
  const isOptional = view.optional || node.op === '[?]';
  if (index.op === 'value' && typeof index.args === 'string') return step(view, index.args, node, walk);
  const at = use(index, walk);
  if (at.secret) refuseSecret(index, walk, 'to choose an item');
  const { place, schema } = view;
  if (index.op === 'value' && typeof index.args === 'bigint' && place !== undefined) {
    const next = below(place, Number(index.args), String(index.args));
    return { schema: schema?.items, optional: isOptional, secret: view.secret, place: isOptional ? { ...next, optional: true, needs: place.needs } : next };
  }
  record(view, inner, walk);
  return { ...computed(node, walk, [view]), schema: schema?.items ?? computed(node, walk, [view]).schema, optional: isOptional };
}

function callOf(node: Node, walk: Walk): View {
  const [name, args] = node.args as [string, Node[]];
  if (name !== 'has' || args.length !== 1)
    return computed(
      node,
      walk,
      args.map(arg => use(arg, walk)),
    );
  const view = guardedView(args[0]!, walk);
  if (view !== undefined) record(view, args[0]!, walk);
  return { schema: { type: 'boolean' }, optional: false, secret: false };
}

/** The argument of has(): everything before its last field must be there, the field itself may be absent. */
function guardedView(node: Node, walk: Walk): View | undefined {
  if (node.op !== '.') return undefined;
  const [inner] = node.args as [Node, string];
  const view = step(viewOf(inner, walk), (node.args as [Node, string])[1], { ...node, op: '.?', pos: node.pos }, walk);
  return view.place === undefined ? undefined : { ...view, secret: false, schema: undefined };
}

function methodOf(node: Node, walk: Walk): View {
  const [name, receiver, args] = node.args as [string, Node, Node[]];
  if (LOOPS.has(name) && args.length >= 2) return loopOf(node, walk);
  if (name === 'bind' && receiver.op === 'id' && receiver.args === 'cel' && args.length === 3) return bindOf(args as [Node, Node, Node], walk);
  if (name === 'value' && args.length === 0) {
    complain(walk, node, 'InvalidExpression', '`.value()` fails when there is no value', 'use `.orValue(…)`');
  }
  const isOptionalOf = receiver.op === 'id' && receiver.args === 'optional' && name === 'of' && args.length === 1;
  if (isOptionalOf) return { ...use(args[0]!, walk), optional: true, place: undefined };
  const view = use(receiver, walk);
  const parts = args.map(arg => use(arg, walk));
  const isDefault = name === 'orValue' && args.length === 1;
  const result = computed(node, walk, [view, ...parts]);
  if (name === 'hasValue') return { ...result, secret: false };
  return isDefault ? { ...result, schema: view.schema ?? parts[0]!.schema, optional: false } : result;
}

/** cel.bind: the value is read where the body reads it; as a whole only when the body does not. */
function bindOf([variable, value, body]: readonly [Node, Node, Node], walk: Walk): View {
  const bound = viewOf(value, walk);
  const before = walk.found.reads.length;
  const result = use(body, { ...walk, variables: new Map(walk.variables).set(String(variable.args), bound) });
  recordUnread(bound, value, before, '', walk);
  return { ...result, place: undefined };
}

/** Counts a view as read unless something below it was read since. */
function recordUnread(view: View, node: Node, before: number, inside: string, walk: Walk): void {
  const { place } = view;
  if (place === undefined) return;
  const isRead = walk.found.reads.slice(before).some(read => read.root === place.root && read.path.startsWith(place.path + inside));
  if (!isRead) record({ ...view, schema: undefined }, node, walk);
}

/** map, filter, all, exists: the body reads the items, so the list itself is read only when the body reads nothing of them. */
function loopOf(node: Node, walk: Walk): View {
  const [name, receiver, args] = node.args as [string, Node, Node[]];
  const list = viewOf(receiver, walk);
  const item = itemOf(list);
  const guard = `#${node.end}`;
  const variable: View = item.place === undefined ? item : { ...item, place: { ...item.place, guard } };
  const variables = new Map(walk.variables).set(String(args[0]!.args), variable);
  const known = (list.itemFacts ?? []).map(fact => fact.replace(' #', ` ${guard}`));
  const before = walk.found.reads.length;
  const inner = within({ ...walk, variables }, known);
  const isCondition = name !== 'map' || args.length === 3;
  const condition = isCondition ? use(args[1]!, inner) : undefined;
  if (condition?.secret) refuseSecret(args[1]!, walk, 'in a condition');
  const facts = isCondition ? truths(args[1]!, inner) : [];
  const body = name === 'map' ? use(args.at(-1)!, within(inner, facts)) : undefined;
  recordUnread(list, receiver, before, '[]', walk);
  if (body !== undefined) return { schema: { type: 'array', items: body.schema }, optional: false, secret: body.secret };
  if (name !== 'filter') return { schema: { type: 'boolean' }, optional: false, secret: false };
  const itemFacts = facts.filter(fact => fact.includes(` ${guard}`)).map(fact => fact.replace(` ${guard}`, ' #'));
  return { ...list, itemFacts: [...(list.itemFacts ?? []), ...itemFacts] };
}

function choiceOf(node: Node, walk: Walk): View {
  const [condition, yes, no] = node.args as [Node, Node, Node];
  if (use(condition, walk).secret) refuseSecret(condition, walk, 'in a condition');
  const views = [use(yes, within(walk, truths(condition, walk))), use(no, within(walk, falsehoods(condition, walk)))] as const;
  const result = computed(node, walk, views);
  const schemas = [yes, no].flatMap((branch, index) => (isNothing(branch) ? [] : [views[index]!.schema]));
  const schema = unite(schemas) ?? result.schema;
  return { ...result, schema, optional: result.optional || views.some(view => view.optional) };
}

function logicOf(node: Node, walk: Walk): View {
  const [left, right] = node.args as [Node, Node];
  const facts = node.op === '&&' ? truths(left, walk) : falsehoods(left, walk);
  for (const view of [use(left, walk), use(right, within(walk, facts))]) if (view.secret) refuseSecret(node, walk, 'in a condition');
  return { schema: { type: 'boolean' }, optional: false, secret: false };
}

function operatorOf(node: Node, walk: Walk): View {
  const operands = (Array.isArray(node.args) ? node.args : [node.args]) as Node[];
  const views = operands.map(operand => use(operand, walk));
  if (views.some(view => view.secret) && COMPARISONS.has(node.op)) refuseSecret(node, walk, 'in a comparison');
  const result = computed(node, walk, views);
  const [left, right] = views;
  if (node.op !== '+' || left?.schema?.type !== 'array' || right?.schema?.type !== 'array') return result;
  return { ...result, schema: { type: 'array', items: unite([left.schema.items, right.schema.items]) } };
}

function listOf(node: Node, walk: Walk): View {
  const views = (node.args as Node[]).map(item => use(item, walk));
  return { schema: { type: 'array', items: unite(views.map(view => view.schema)) }, optional: false, secret: views.some(view => view.secret) };
}

function mapOf(node: Node, walk: Walk): View {
  const entries = (node.args as [Node, Node][]).map(([key, value]) => ({ key, keyView: use(key, walk), view: use(value, walk) }));
  const secret = entries.some(({ view, keyView }) => view.secret || keyView.secret);
  const isNamed = entries.every(({ key }) => key.op === 'value' && typeof key.args === 'string');
  if (!isNamed) return { ...computed(node, walk, []), secret };
  const properties = Object.fromEntries(entries.map(({ key, view }) => [key.args as string, view.schema ?? {}]));
  const required = entries.filter(({ view }) => !view.optional).map(({ key }) => key.args as string);
  return { schema: { type: 'object', properties, required }, optional: false, secret };
}

/** The facts that hold where the condition is true: guards (`has …`, `ready …`) and the condition itself (`cond …`). */
export function truths(node: Node, walk: Walk): string[] {
  const own = [`cond ${textOf(node, walk)}`];
  if (node.op === '&&') return [...own, ...(node.args as Node[]).flatMap(operand => truths(operand, walk))];
  if (node.op === '!_') return [...own, ...falsehoods(node.args as Node, walk)];
  if (node.op === 'call' && (node.args as [string, Node[]])[0] === 'has') {
    const place = guardedView((node.args as [string, Node[]])[1][0]!, quietly(walk))?.place;
    return place === undefined ? own : [...own, `has ${place.guard}`];
  }
  if (node.op !== '.' || (node.args as [Node, string])[1] !== 'ready') return own;
  const claim = viewOf((node.args as [Node, string])[0], quietly(walk));
  return claim.schema?.[VIEW] === 'claim' && claim.place !== undefined ? [...own, `ready ${claim.place.guard}`] : own;
}

function falsehoods(node: Node, walk: Walk): string[] {
  if (node.op === '||') return (node.args as Node[]).flatMap(operand => falsehoods(operand, walk));
  return node.op === '!_' ? truths(node.args as Node, walk) : [];
}

/** The conditions (as written) that together make an expression true. */
export function conditionsOf(node: Node, source: string): string[] {
  if (node.op === '&&') return (node.args as Node[]).flatMap(operand => conditionsOf(operand, source));
  return [source.slice(node.start, node.end).replaceAll(/\s+/g, ' ')];
}
