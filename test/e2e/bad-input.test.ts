/** What bad input gets: every problem with file:line:column, the same words from `validate` and `up`, and nothing applied. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { BUNDLE } from './build.ts';
import { everything } from './cloud.ts';
import { type Cloudy, plinth, sharedWorkplace, type Workplace, workplace, write } from './plinth.ts';

vi.setConfig({ maxConcurrency: 4 });

/** A document of one claim. */
const claim = (kind: string, spec: string, name = 'orders'): string =>
  `apiVersion: plinth.dev/v1alpha1\nkind: ${kind}\nmetadata: {name: ${name}}\nspec: ${spec}\n`;

/** Validates and ups the input: both refuse with these lines, and nothing was made. */
async function bothRefuse(place: Workplace, lines: readonly (string | RegExp)[], path = 'bad.yaml'): Promise<void> {
  const [validated, upped] = await Promise.all([plinth(place, ['validate', path]), plinth(place, ['up', path, '--class', 'local'])]);
  expect(upped.stderr).toBe(validated.stderr);
  expect([validated.code, upped.code]).toEqual([1, 1]);
  const said = validated.stderr.trimEnd().split('\n');
  expect(said.at(-1)).toMatch(/^\d+ problems?; nothing was applied$/);
  expect(said.slice(0, -1)).toEqual(lines.map(line => (typeof line === 'string' ? line : expect.stringMatching(line))));
  expect(existsSync(join(place.folder, '.plinth'))).toBe(false);
}

const bomb = [
  'a: &a [x,x,x,x,x,x,x,x,x]',
  ...[...'bcdefgh'].map((letter, index) => `${letter}: &${letter} [${Array(9).fill(`*${'abcdefgh'[index]}`).join(',')}]`),
].join('\n');

test.each<[string, string | Buffer, (string | RegExp)[]]>([
  ['broken YAML', 'a: b\n c: d\n', [/^bad\.yaml:1:4: Nested mappings .* \(InvalidYaml\)$/]],
  ['tabs', 'kind: Queue\nmetadata:\n\tname: x\n', ['bad.yaml:3:1: Tabs are not allowed as indentation; use spaces (InvalidYaml)']],
  [
    'a key twice',
    'kind: Queue\nmetadata: {name: a, name: b}\n',
    ['bad.yaml:2:21: the key `name` stands twice in one mapping; remove one of them (InvalidYaml)'],
  ],
  ['a bomb of anchors', bomb, ['bad.yaml:1:1: anchors and aliases of this document expand to far too much; write the values out (InvalidYaml)']],
  [
    '10 MB',
    Buffer.alloc(10 * 2 ** 20, '#'),
    ['bad.yaml:1:1: there are 10.0 MiB; at most 5 are read; split it, or name the file that holds the claims (InputTooLarge)'],
  ],
  ['hundreds of thousands of values', 'a: {b: 1, c: 2}\n'.repeat(200_000), [/^bad\.yaml:1:1: the file holds more than 300,000 values; .* \(InputTooLarge\)$/]],
  ['endless nesting', `a: ${'['.repeat(200_000)}`, [/^bad\.yaml:1:\d+: this is nested too deeply; keep below 100 levels \(InvalidYaml\)$/]],
  ['not UTF-8', Buffer.from('kind: Queue\nname: "caf\xe9"\n', 'latin1'), ['bad.yaml:2:11: this is not UTF-8 text; save it as UTF-8 (NotUtf8)']],
  ['a NUL', 'kind: "a\0"\n', ['bad.yaml:1:9: there is a NUL character here; this does not look like a text file; remove the character (InvalidYaml)']],
  ['empty', '', [/^bad\.yaml:1:1: there is no object in it; .* \(EmptyInput\)$/]],
  ['only comments', '# later\n---\n', [/^bad\.yaml:1:1: there is no object in it; .* \(EmptyInput\)$/]],
  ['a list', '- a\n', [/^bad\.yaml:1:1: the document is not a mapping .* \(InvalidObject\)$/]],
  [
    'an unquoted expression',
    'spec:\n  delay: ${a ? b : c}\n',
    ['bad.yaml:2:10: YAML trips over the ${…} on this line, which is not quoted; quote it: "${…}" in double or single quotes (InvalidYaml)'],
  ],
  ['unknown kind', claim('Queu', '{}'), ['bad.yaml:2:7: the kind `Queu` is not known here; did you mean `Queue`? (UnknownKind)']],
  [
    'unknown field, out of range, wrong type',
    claim('Queue', '\n  visibilityTimeoutSecond: 30\n  delaySeconds: 1000\n  fifo: "yes"'),
    [
      'bad.yaml:5:28: `spec.visibilityTimeoutSecond` is not a known field; did you mean `visibilityTimeoutSeconds`? (InvalidClaim)',
      'bad.yaml:6:17: `spec.delaySeconds` must be at most 900, not 1000; correct the value (InvalidClaim)',
      'bad.yaml:7:9: `spec.fifo` must be true or false, not "yes"; correct the value (InvalidClaim)',
    ],
  ],
  [
    'the same claim twice',
    `${claim('Topic', '{}')}---\n${claim('Topic', '{}')}`,
    ['bad.yaml:8:18: Topic/orders is declared twice: also at bad.yaml:3; remove one of them (DuplicateObject)'],
  ],
  [
    'nothing of ours',
    'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n',
    ["not Plinth's, left alone: Deployment/web", /there is no claim in it, only Deployment\/web/],
  ],
])('%s', async (_, text, lines) => {
  const place = workplace();
  write(place, 'bad.yaml', text);
  await bothRefuse(place, lines);
});

test('problems of several documents and files are told together, and the good ones are not applied', async () => {
  const place = workplace();
  write(place, 'claims/a.yaml', claim('Topic', '{}', 'fine'));
  write(place, 'claims/b.yaml', `${claim('Queue', '{fifos: true}')}---\n${claim('Queeu', '{}')}`);
  write(place, 'claims/c.yaml', 'a: [');
  await bothRefuse(
    place,
    [/^claims\/b\.yaml:4:15: `spec\.fifos` is not a known field/, /^claims\/b\.yaml:7:7: the kind `Queeu`/, /^claims\/c\.yaml:1:/],
    'claims',
  );
});

test.each<[string, string, RegExp]>([
  [
    'a wrong field',
    'spec: {delaySecond: 5}',
    /^bad\.yaml:\d+:\d+: `spec\.resources\[0\]\.spec\.delaySecond` is not a known field \(aws\/sqs-queue\); did you mean `delaySeconds`\? \(InvalidComposition\)$/m,
  ],
  [
    'a wrong type',
    'spec: {delaySeconds: "${claim.spec.fifo}"}',
    /^bad\.yaml:\d+:\d+: `claim\.spec\.fifo` is true or false, but an integer is needed .* \(InvalidComposition\)$/m,
  ],
  [
    'a circle',
    'spec: {tags: {x: "${b.state.arn}"}}\n    - id: b\n      type: aws/sqs-queue\n      spec: {tags: {x: "${a.state.arn}"}}',
    /needs? each other in a circle: a → b → a.*\(Cycle\)$/m,
  ],
  ['an unknown claim field', 'spec: {tags: {x: "${claim.spec.nothing}"}}', /^bad\.yaml:10:\d+: `claim\.spec` has no field `nothing`.* \(InvalidExpression\)$/m],
  ['a missing connection key', 'spec: {}', /the connection lacks .*`uri`.* \(MissingConnectionKey\)$/m],
  ['a CEL bomb', `spec: {delaySeconds: "\${${'['.repeat(500)}1${']'.repeat(500)}.size()}"}`, /^bad\.yaml:10:\d+: .*\((TooComplex|InvalidExpression)\)$/m],
])('a composition with %s is refused with its position', async (_, resource, line) => {
  const place = workplace();
  write(
    place,
    'bad.yaml',
    `apiVersion: plinth.dev/v1alpha1\nkind: Composition\nmetadata: {name: mine}\nspec:\n  claim: Queue\n  connection: {}\n  resources:\n    - id: a\n      type: aws/sqs-queue\n      ${resource}\n`,
  );
  const { code, stderr } = await plinth(place, ['validate', 'bad.yaml']);
  expect(code).toBe(1);
  expect(stderr).toMatch(line);
});

test('an evil regular expression is run in linear time', async () => {
  const place = workplace();
  const evil = 'spec: {delaySeconds: "${claim.name.matches(\'^(a+)+$\') ? 1 : 2}"}';
  write(
    place,
    'bad.yaml',
    `apiVersion: plinth.dev/v1alpha1\nkind: Composition\nmetadata: {name: queue-sqs}\nspec:\n  claim: Queue\n  connection: {uri: u, arn: a, queue: q, region: r}\n  outputs: {arn: a, url: u, name: n}\n  resources:\n    - id: a\n      type: aws/sqs-queue\n      ${evil}\n---\n${claim('Queue', '{}', `${'a'.repeat(60)}-b`)}`,
  );
  // Ten seconds of the processor, however busy it is with others.
  const command = ['-c', 'ulimit -t 10 && exec "$0" "$@"', process.execPath, BUNDLE, 'render', 'bad.yaml', '--class', 'local'];
  const { status, signal, stderr } = spawnSync('sh', command, { cwd: place.folder, env: { ...process.env, ...place.env }, encoding: 'utf8' });
  expect([status, signal], stderr).toEqual([0, null]);
});

test('the command line itself: exit code 2 and what to do', async () => {
  const place = workplace();
  const cases: [string[], RegExp][] = [
    [['upp'], /unknown command 'upp'\n\(Did you mean up\?\)/],
    [['up'], /missing required argument 'path'/],
    [['up', 'nowhere.yaml'], /nowhere\.yaml does not exist \(FileNotFound\)/],
    [['status', '--output', 'xml'], /Allowed choices are table, json, yaml/],
    [['up', '.', '--timeout', 'soon'], /It must be a time such as 500ms, 30s or 5m/],
    [['completion', 'tcsh'], /there is no completion for tcsh \(BadUse\)/],
    [[], /Usage: plinth/],
  ];
  for (const [args, says] of cases) {
    const { code, said } = await plinth(place, args);
    expect(said).toMatch(says);
    expect(code).toBe(2);
  }
});

test('an empty folder is an error, never "delete everything"', async () => {
  const place = workplace();
  write(place, 'claims/README.md', 'none yet');
  const { code, stderr } = await plinth(place, ['up', 'claims', '--prune']);
  expect(code).toBe(1);
  expect(stderr).toContain('claims holds no *.yaml, *.yml or *.json file (EmptyInput)');
});

/** What only a run finds out: the claim says it, with a hint, and other claims go on. */
async function upWith(place: Cloudy, admin: string, args: readonly string[] = []): Promise<{ said: string; code: number }> {
  write(place, 'admin.yaml', admin);
  write(place, 'claims.yaml', `${claim('Queue', '{}')}---\n${claim('Topic', '{}', 'fine')}`);
  return await plinth(place, ['up', 'config.yaml', 'admin.yaml', 'claims.yaml', ...args]);
}
const environmentClass = (name: string, implementations: string, more = ''): string =>
  `apiVersion: plinth.dev/v1alpha1\nkind: EnvironmentClass\nmetadata: {name: ${name}}\nspec:\n  ${more}\n  implementations:\n    - {claim: Topic, composition: topic-sns, configs: {aws: local}}\n${implementations}`;
const queueBy = (composition: string, config = 'local'): string => `    - {claim: Queue, composition: ${composition}, configs: {aws: ${config}}}\n`;

/** A server that answers each request so, or never. */
async function serverThat(answer: ((response: ServerResponse) => void) | undefined): Promise<{ endpoint: string; close: () => void }> {
  const server = createServer((_, response) => answer?.(response));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    endpoint: `http://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
const throttled = (response: ServerResponse): void => {
  response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-errortype': 'ThrottlingException' });
  response.end('{"__type": "ThrottlingException", "message": "Rate exceeded"}');
};
const forbidden = (response: ServerResponse): void => {
  response.writeHead(403, { 'content-type': 'text/xml' });
  response.end(
    '<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>The security token is invalid.</Message></Error></ErrorResponse>',
  );
};

// From here on they run at once, as each has a workplace and an account of its own: what waits for its --timeout, up to 30 s, leads and the others
// come meanwhile. A call that hangs is given up by the product after 15 s, so none of these times can be shorter on a busy machine.

test.concurrent.each<[string, ((response: ServerResponse) => void) | undefined, RegExp]>([
  ['hangs', undefined, /Queue\/orders.*\(Timeout\)/],
  ['throttles', throttled, /Queue\/orders.*\(Throttled\)/],
  ['refuses the credentials', forbidden, /Queue\/orders.*\(InvalidCredentials\)/],
])('an endpoint that %s: the claim says which, and other claims go on', async (_, answer, says) => {
  const place = await sharedWorkplace();
  const { endpoint, close } = await serverThat(answer);
  const config = `apiVersion: plinth.dev/v1alpha1\nkind: ProviderConfig\nmetadata: {name: odd}\nspec: {provider: localstack, settings: {endpoint: "${endpoint}"}}\n`;
  const { said, code } = await upWith(place, `${config}---\n${environmentClass('mine', queueBy('queue-sqs', 'odd'))}`, [
    '--class',
    'mine',
    '--timeout',
    answer === undefined ? '30s' : '15s',
  ]);
  close();
  expect(said).toMatch(says);
  expect(code).toBe(1);
  expect(await everything(place)).toEqual(['topic shop_fine']);
});

test.concurrent('an endpoint that is down: named, tried again until --timeout, and other claims go on', async () => {
  const place = await sharedWorkplace();
  const config = `apiVersion: plinth.dev/v1alpha1\nkind: ProviderConfig\nmetadata: {name: down}\nspec: {provider: localstack, settings: {endpoint: "http://127.0.0.1:1"}}\n`;
  const { said, code } = await upWith(place, `${config}---\n${environmentClass('mine', queueBy('queue-sqs', 'down'))}`, [
    '--class',
    'mine',
    '--timeout',
    '15s',
  ]);
  expect(said).toMatch(/Queue\/orders.*127\.0\.0\.1:1.*\(Unreachable\)/);
  expect(said).toContain('(TimedOut)');
  expect(code).toBe(1);
  expect(await everything(place)).toEqual(['topic shop_fine']);
});

test.concurrent.each<[string, string, string[], RegExp]>([
  ['no class', environmentClass('mine', queueBy('queue-sqs')), [], /Queue\/orders.*names no EnvironmentClass and none is marked default.*--class.*\(NoClass\)/],
  [
    'two defaults',
    `${environmentClass('a', queueBy('queue-sqs'), 'default: true')}---\n${environmentClass('b', queueBy('queue-sqs'), 'default: true')}`,
    [],
    /more than one EnvironmentClass is marked default: `a`, `b`.*\(TwoDefaultClasses\)/,
  ],
  [
    'two matching compositions',
    environmentClass('mine', queueBy('queue-sqs') + queueBy('queue-other')),
    ['--class', 'mine'],
    /implements Queue more than once: `queue-other`, `queue-sqs`.*\(AmbiguousImplementation\)/,
  ],
  ['no implementation', environmentClass('mine', ''), ['--class', 'mine'], /does not implement Queue; it implements only `Topic`.*\(NoImplementation\)/],
  ['no composition', environmentClass('mine', queueBy('queue-none')), ['--class', 'mine'], /composition queue-none does not exist.*\(NoComposition\)/],
  ['no provider config', environmentClass('mine', queueBy('queue-sqs', 'nowhere')), ['--class', 'mine'], /ProviderConfig nowhere.*\(NoProviderConfig\)/],
])('%s: the claim says so', async (_, admin, args, says) => {
  const place = await sharedWorkplace();
  const { said, code } = await upWith(place, admin, args);
  expect(said).toMatch(says);
  expect(code).toBe(1);
  if (args.length > 0) expect(await everything(place)).toEqual(['topic shop_fine']);
});

test.concurrent('a claim that is not there: the nearest is named', async () => {
  const place = await sharedWorkplace();
  write(place, 'claims.yaml', claim('Queue', '{}'));
  await plinth(place, ['up', 'config.yaml', 'claims.yaml', '--class', 'local']);
  const { code, stderr } = await plinth(place, ['trace', 'Queue/order']);
  expect(stderr).toBe('error: there is no Queue/order (NoSuchClaim)\n  did you mean `Queue/orders`?\n');
  expect(code).toBe(1);
  expect((await plinth(place, ['trace', 'orders'])).code).toBe(2);
});
