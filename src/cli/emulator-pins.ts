/** The one MiniStack release Plinth starts on its own, as published on the Python package index. */
export const MINISTACK_VERSION = '1.5.33';

/** Oldest Python that MiniStack's own metadata accepts, as [major, minor]. */
export const MINISTACK_PYTHON: readonly [number, number] = [3, 10];

/**
 * Every package of a MiniStack installation, one requirement line each, so that two machines get the same files whatever was published since.
 * `localstack/ministack-requirements.txt` holds the same lines for installing by hand; a test keeps the two equal.
 */
export const MINISTACK_REQUIREMENTS: readonly string[] = [
  `ministack==${MINISTACK_VERSION}`,
  'botocore==1.43.106',
  'defusedxml==0.7.1',
  'exceptiongroup==1.3.1; python_version < "3.11"',
  'graphql-core==3.2.12',
  'h11==0.16.0',
  'h2==4.4.1',
  'hpack==4.2.0',
  'Hypercorn==0.18.0',
  'hyperframe==6.1.0',
  'jmespath==1.1.0',
  'jsonata-python==0.7.1',
  'priority==2.0.0',
  'python-dateutil==2.9.0.post0',
  'PyYAML==6.0.3',
  'six==1.17.0',
  'taskgroup==0.2.2; python_version < "3.11"',
  'tomli==2.5.0; python_version < "3.11"',
  'typing_extensions==4.16.0; python_version < "3.11"',
  'urllib3==2.8.0',
  'wsproto==1.3.2',
];
