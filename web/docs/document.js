/** What the OpenAPI document says, followed through its references. */

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

/**
 * @param {any} document
 * @param {any} value
 */
export function resolved(document, value) {
  let found = value;
  while (found?.$ref) {
    found = found.$ref.slice(2).split('/').reduce((at, name) => at?.[name], document);
  }
  return found;
}

/** Every operation, by tag, in the order of the document. @param {any} document */
export function operations(document) {
  const tags = new Map((document.tags ?? []).map((tag) => [tag.name, { ...tag, operations: [] }]));
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of METHODS.filter((name) => item[name])) {
      const operation = item[method];
      const tag = operation.tags?.[0] ?? 'other';
      if (!tags.has(tag)) {
        tags.set(tag, { name: tag, description: '', operations: [] });
      }
      tags.get(tag).operations.push({ path, method, ...operation });
    }
  }
  return [...tags.values()].filter((tag) => tag.operations.length > 0);
}

/** An example of a body or an answer: the one given, or one made of the schema. */
export function example(document, content) {
  if (content?.example !== undefined) {
    return content.example;
  }
  const first = Object.values(content?.examples ?? {})[0];
  return first ? resolved(document, first).value : sample(document, content?.schema, 0);
}

function sample(document, given, depth) {
  const schema = resolved(document, given) ?? {};
  if (schema.example !== undefined) return schema.example;
  if (schema.examples?.length) return schema.examples[0];
  if (schema.enum) return schema.enum[0];
  const variants = schema.oneOf ?? schema.anyOf;
  if (variants) return sample(document, variants.find((one) => one.type !== 'null') ?? variants[0], depth);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((one) => sample(document, one, depth)));
  const type = [schema.type].flat().find((name) => name !== 'null');
  if (type === 'object' || schema.properties) {
    if (depth > 4) return {};
    const members = Object.entries(schema.properties ?? {});
    return Object.fromEntries(members.map(([name, member]) => [name, sample(document, member, depth + 1)]));
  }
  if (type === 'array') return depth > 4 ? [] : [sample(document, schema.items, depth + 1)];
  return { string: schema.format === 'date-time' ? '2026-11-25T08:00:00Z' : '', integer: 1, number: 0.5, boolean: true }[type] ?? null;
}

/** What a schema is called in a table. */
export function typeName(document, given) {
  if (given?.$ref) return given.$ref.split('/').pop();
  const schema = given ?? {};
  if (schema.enum) return schema.enum.filter((word) => word !== null).join(' | ');
  const variants = schema.oneOf ?? schema.anyOf;
  if (variants) return variants.map((one) => typeName(document, one)).join(' | ');
  const types = [schema.type ?? 'any'].flat();
  return types.map((name) => (name === 'array' ? `${typeName(document, schema.items)}[]` : name)).join(' | ');
}

/** The members of an object, those of all its parts together. */
export function members(document, given) {
  const schema = resolved(document, given) ?? {};
  if (schema.type === 'array' || [schema.type].flat().includes('array')) return members(document, schema.items);
  const variants = (schema.oneOf ?? schema.anyOf ?? []).filter((one) => one.type !== 'null');
  const parts = [...(schema.allOf ?? []), ...variants];
  const own = Object.entries(schema.properties ?? {}).map(([name, member]) => ({
    name,
    type: typeName(document, member),
    needed: (schema.required ?? []).includes(name),
    description: member.description ?? resolved(document, member)?.description ?? '',
  }));
  return [...own, ...parts.flatMap((part) => members(document, part))];
}
