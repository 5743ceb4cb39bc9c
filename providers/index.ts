/** Every provider Plinth ships; one line each. */
import type { Provider } from '../src/sdk.ts';
import { aws } from './aws/index.ts';
import { fake } from './fake/index.ts';
import { kubernetes } from './kubernetes/index.ts';
import { localstack } from './localstack/index.ts';

export const providers: readonly Provider[] = [aws, localstack, kubernetes, fake];
