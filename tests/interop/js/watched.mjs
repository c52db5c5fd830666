// Which methods a client has, which were called, and what came of it: they work, or the code they were refused with.
// A method that another method of the client calls does not count.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const outcomes = new Map();
const called = new Set();

// Names of methods and of fields that a package keeps to itself: TypeScript knows, JavaScript does not.
export const ownOf = (...paths) => {
  const text = paths.map((path) => readFileSync(new URL(`node_modules/${path}`, import.meta.url), "utf8")).join("\n");
  const names = (end) => new Set([...text.matchAll(new RegExp(`^\\s*(?:private|protected) (\\w+)\\??\\s*${end}`, "gm"))].map((found) => found[1]));
  return { methods: names("[;(<]"), fields: names("[;:]") };
};
const NONE = { methods: new Set(), fields: new Set() };
const isOwn = (name, own) => name === "constructor" || name.startsWith("_") || own.has(name);

// The methods that an instance of the class has, inherited ones included.
export const methodsOf = (prototype, own = NONE) => {
  const names = new Set();
  for (let kind = prototype; kind && kind !== Object.prototype && kind !== Error.prototype; kind = Object.getPrototypeOf(kind))
    for (const name of Object.getOwnPropertyNames(kind))
      if (!isOwn(name, own.methods) && typeof Object.getOwnPropertyDescriptor(kind, name).value === "function") names.add(name);
  return names;
};

// Of an object, the functions it was given included, and those of the objects inside it: `mfa.enroll`.
export const methodsBelow = (object, own = NONE, prefix = "") => {
  const found = [...methodsOf(Object.getPrototypeOf(object), own)].map((name) => prefix + name);
  for (const [name, value] of Object.entries(object)) {
    if (isOwn(name, own.fields)) continue;
    if (typeof value === "function") found.push(prefix + name);
    else if (value && typeof value === "object") found.push(...methodsBelow(value, own, `${prefix}${name}.`));
  }
  return found;
};

export const codeOf = (error) => String(error.code ?? error.statusCode ?? error.status ?? error.name);
const note = (names, error) => {
  for (const name of names) {
    called.add(name);
    if (!error) outcomes.set(name, "works");
    else if (outcomes.get(name) !== "works") outcomes.set(name, codeOf(error));
  }
};

// An object whose methods answer by themselves.
export const watched = (object, prefix = "") =>
  new Proxy(object, {
    get(target, name) {
      const value = target[name];
      if (typeof name !== "string") return value;
      if (value && typeof value === "object" && !name.startsWith("_")) return watched(value, `${prefix}${name}.`);
      if (typeof value !== "function") return value;
      return (...given) => {
        let answer;
        try {
          answer = value.apply(target, given);
        } catch (error) {
          note([prefix + name], error);
          throw error;
        }
        if (typeof answer?.then !== "function") note([prefix + name]);
        else {
          called.add(prefix + name);
          // The answer itself is handed on: it may be more than a promise.
          const settled = answer.asStream ? Promise.resolve() : answer;
          settled.then((got) => note([prefix + name], got?.error), (error) => note([prefix + name], error));
        }
        return answer;
      };
    },
  });

// An object whose methods build a request: they worked, all of them, when the request did. kinds: by exported name.
export const building = (object, kinds, names = []) =>
  new Proxy(object, {
    get(target, name) {
      const value = target[name];
      if (typeof value !== "function" || typeof name !== "string") return value;
      const labels = Object.entries(kinds).filter(([, kind]) => target instanceof kind).map(([label]) => `${label}.${name}`);
      const all = [...names, ...labels];
      if (name === "then")
        return (fulfil, reject) =>
          target.then(
            (answer) => (note(all, answer.error), answer),
            (error) => {
              note(all, error);
              throw error;
            },
          ).then(fulfil, reject);
      return (...given) => {
        labels.forEach((label) => called.add(label));
        const answer = value.apply(target, given);
        if (Object.values(kinds).some((kind) => answer instanceof kind)) return building(answer, kinds, all);
        note(all);
        return answer;
      };
    },
  });

// What is told of a package: its methods, those that no call covered, and what came of the others.
export const report = (name, methods) => ({
  name,
  version: require(`${name}/package.json`).version,
  methods: [...methods],
  uncalled: [...methods].filter((method) => !called.has(method)),
  outcomes: Object.fromEntries([...methods].filter((method) => outcomes.has(method)).map((method) => [method, outcomes.get(method)])),
});
