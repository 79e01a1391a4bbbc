/** The OpenAPI 3.1 description, made of the table of routes: it cannot say anything else than what the server does. */
import { statusOf } from './refusals.ts';
import type { Route } from './routes.ts';
import { type JsonSchema, SCHEMAS } from './schemas.ts';

const names = new Map<unknown, string>(Object.entries(SCHEMAS).map(([name, schema]) => [schema, name]));

export function openApiDocument(routes: readonly Route[], version: string): JsonSchema {
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Rivulet coordinator',
      version,
      summary: 'Takes deltas and reports of gateways, hands out releases',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(SCHEMAS).map(([name, schema]) => [name, inside(schema)])),
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  };
}

function operation(route: Route): JsonSchema {
  const parameters = [
    ...Object.entries(route.params ?? {}).map(([name, schema]) => ({ name, in: 'path', required: true, schema })),
    ...Object.entries(route.query ?? {}).map(([name, schema]) => ({ name, in: 'query', required: false, schema })),
    ...Object.entries(route.headers ?? {}).map(([name, description]) => ({
      name,
      in: 'header',
      required: true,
      description,
      schema: { type: 'string' },
    })),
  ];
  return {
    operationId: operationId(route),
    summary: route.summary,
    ...(route.token ? { security: [{ token: [] }, {}] } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(route.body
      ? { requestBody: { required: true, content: { [route.body.media]: { schema: named(route.body.schema) } } } }
      : {}),
    responses: {
      200: {
        description: route.summary,
        content: { [route.answer.media]: { schema: named(route.answer.schema) } },
      },
      ...refusals(route),
    },
  };
}

function operationId({ method, path }: Route): string {
  const words = path
    .replace('/api/v1', '')
    .replace(/\{(\w+)\}/g, 'by_$1')
    .split(/\W+/)
    .filter((word) => word !== '');
  return [method.toLowerCase(), ...words].join('_');
}

/** Codes by their status: several may share one. */
function refusals(route: Route): Record<string, JsonSchema> {
  const checked = route.params || route.query || route.body ? (['RIV_REQUEST'] as const) : [];
  const media = route.body ? (['RIV_TOO_LARGE', 'RIV_MEDIA_TYPE', 'RIV_OVERLOADED'] as const) : [];
  const byStatus = new Map<number, Set<string>>();
  for (const code of [...route.refusals, ...checked, ...media]) {
    const status = statusOf(code);
    byStatus.set(status, (byStatus.get(status) ?? new Set()).add(code));
  }
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      status,
      { description: [...codes].join(', '), content: { 'application/json': { schema: named(SCHEMAS.Failure) } } },
    ]),
  );
}

/** A schema with a name is a reference; others stand where they are. */
function named(schema: unknown): unknown {
  const name = names.get(schema);
  return name === undefined ? inside(schema) : { $ref: `#/components/schemas/${name}` };
}

function inside(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(named);
  if (typeof schema !== 'object' || schema === null) return schema;
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, named(value)]));
}
