/** What a failed call means, and what it teaches the call budget. */
import type { EngineError } from '../core/errors.ts';
import { slowDown } from './budget.ts';
import { type Connection, classified, namedBy } from './clients.ts';
import type { Engine } from './engine.ts';

/** The failure as EngineError, with the name of the config whose credentials are refused; a provider that asks for fewer calls gets them. */
export function failure(engine: Engine, connection: Connection, thrown: unknown): EngineError {
  const error = classified(connection.provider, thrown);
  if (error.code === 'Throttled') slowDown(engine.budgets, connection.config);
  return error.code === 'InvalidCredentials' ? namedBy(connection.config, error) : error;
}
