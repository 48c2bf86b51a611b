// The API's description for people, made of /openapi.json: questions by heading, what they take and answer, and a
// form that asks them.

import { el, on, page } from "./dom.js";

const zh = page.lang.startsWith("zh");
const say = (english, chinese) => (zh ? chinese : english);
const main = document.getElementById("docs");
const api = await (await fetch("/openapi.json")).json();
const shape = (ref) => api.components.schemas[ref.split("/").at(-1)];

/// Schemas in one line of text, as people write types.
function type(schema) {
	if (!schema || schema === true) return say("anything", "任意");
	if (schema.$ref) return schema.$ref.split("/").at(-1);
	const several = schema.anyOf ?? schema.oneOf;
	if (several) return [...new Set(several.map(type))].join(" | ");
	if (schema.allOf) return type(schema.allOf[0]);
	if (schema.const !== undefined) return JSON.stringify(schema.const);
	if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
	const types = [schema.type ?? "object"].flat();
	const inner = schema.prefixItems ? `[${schema.prefixItems.map(type).join(", ")}]` : schema.items && `${type(schema.items)}[]`;
	return types.map((name) => (name === "array" && inner ? inner : name)).join(" | ");
}

/// What a schema allows beside its type.
function limits(schema) {
	const { minimum: low, maximum: high, minLength, maxLength, minItems, maxItems, default: usual } = schema;
	const range = (low, high, of) => (low || (high && high < 1e15) ? [`${low ?? ""}…${high ?? ""}${of}`] : []);
	return [
		...(low < -1e15 ? [] : range(low, high, "")),
		...range(minLength, maxLength, say(" characters", " 个字符")),
		...range(minItems, maxItems, say(" items", " 项")),
		...(usual === undefined ? [] : [`= ${JSON.stringify(usual)}`]),
	].join(", ");
}

const row = (name, schema, required, description) =>
	el("tr", {},
		el("th", { scope: "row" }, el("code", { text: name + (required ? " *" : "") })),
		el("td", {}, el("code", { text: type(schema) }), " ", el("span", { class: "quiet", text: limits(schema) })),
		el("td", { text: description ?? schema.description ?? "" }));

/// Names that are schemas of their own, in this one and below.
function named(schema, found = new Set()) {
	JSON.stringify(schema ?? {}, (key, value) => {
		if (key === "$ref" && !found.has(value)) named(shape(value), found.add(value));
		return value;
	});
	return found;
}

const table = (rows) => el("div", { class: "wide" }, el("table", {}, el("tbody", {}, ...rows)));
const properties = (schema) =>
	Object.entries(schema.properties ?? {}).map(([name, one]) => row(name, one, schema.required?.includes(name)));

/// A schema's properties, or its one line.
const fields = (schema) => {
	const rows = properties(schema);
	return rows.length ? table(rows) : el("p", {}, el("code", { text: type(schema) }));
};

function schemas(schema) {
	return [...named(schema)].map((ref) =>
		el("details", {}, el("summary", {}, el("code", { text: ref.split("/").at(-1) })),
			el("p", { class: "quiet", text: shape(ref).description ?? "" }), fields(shape(ref))));
}

const content = (one) => Object.entries(one?.content ?? {})[0] ?? [];

function answers(operation) {
	return table(Object.entries(operation.responses).map(([status, one]) => {
		const [media, { schema } = {}] = content(one);
		return el("tr", {}, el("th", { scope: "row", text: status }), el("td", { text: one.description }),
			el("td", {}, el("code", { text: schema ? type(schema) : media ?? "" })));
	}));
}

/// A form that asks the question and shows what comes.
function trial(path, method, operation) {
	const [media, body] = content(operation.requestBody);
	const inputs = (operation.parameters ?? []).map((one) => [one, el("input", { name: one.name, required: one.required, autocomplete: "off" })]);
	const text = media === "application/json" && el("textarea", { rows: 6, spellcheck: "false" });
	if (text) text.value = JSON.stringify(body.example ?? {}, null, 2);
	const shown = el("output", {});
	const label = (name, field) => el("label", {}, el("span", { text: name }), field);
	const form = el("form", {},
		...inputs.map(([one, input]) => label(one.name + (one.required ? " *" : ""), input)),
		text && label(say("Body", "请求体"), text),
		el("button", { class: "button primary", text: say("Send", "发送") }), shown);
	on(form, "submit", async (event) => {
		event.preventDefault();
		let address = path;
		const query = new URLSearchParams();
		for (const [{ in: place, name }, { value }] of inputs)
			if (place === "path") address = address.replace(`{${name}}`, encodeURIComponent(value));
			else if (value) query.set(name, value);
		if (query.size) address += `?${query}`;
		shown.replaceChildren(el("p", { text: "…" }));
		try {
			const began = performance.now();
			const options = { method: method.toUpperCase(), ...(text && { headers: { "Content-Type": media }, body: text.value }) };
			show(shown, address, options, await fetch(address, options), began);
		} catch (error) {
			shown.replaceChildren(el("p", { text: String(error) }));
		}
	});
	return form;
}

async function show(shown, address, { method, body }, response, began) {
	const media = response.headers.get("content-type") ?? "";
	const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
	const blob = await response.blob();
	let answer;
	if (media.startsWith("image/")) answer = el("img", { src: URL.createObjectURL(blob), alt: "" });
	else {
		let text = await blob.text();
		if (media.includes("json")) try { text = JSON.stringify(JSON.parse(text), null, 2); } catch {}
		answer = el("pre", { tabindex: 0, text: text.length > 1e5 ? `${text.slice(0, 1e5)}…` : text });
	}
	const took = `${Math.round(performance.now() - began)} ms`;
	shown.replaceChildren(
		el("p", {}, el("strong", { text: `${response.status} ${response.statusText}` }), ` ${took}`),
		el("pre", { tabindex: 0, text: `${method} ${location.origin}${address}${body ? `\n${body}` : ""}\n\n${headers}` }), answer);
}

function question(path, method, operation) {
	const [media, body] = content(operation.requestBody);
	const [, answer] = content(Object.values(operation.responses)[0]);
	const scope = Object.values(operation.security[0] ?? {})[0];
	const part = (title, ...nodes) => [el("h3", { text: title }), ...nodes];
	const node = el("details", { id: operation.operationId },
		el("summary", {}, el("strong", { class: `chip ${method}`, text: method.toUpperCase() }), el("code", { text: path }), el("span", { class: "quiet", text: operation.summary })));
	// Made when it is opened first: all of them together are long.
	on(node, "toggle", () => {
		if (node.childElementCount > 1) return;
		const read = { read: say("A key that reads.", "需要可读的密钥。"), write: say("A key that writes.", "需要可写的密钥。") };
		const keys = read[scope] ?? say("Needs no key.", "不需要密钥。");
		const parameters = (operation.parameters ?? []).map((one) => row(one.name, one.schema, one.required, one.description));
		node.append(
			el("p", { class: "quiet", text: keys }),
			...(parameters.length ? part(say("Parameters", "参数"), table(parameters)) : []),
			...(body ? part(`${say("Body", "请求体")}: ${media}`, fields(body.schema.$ref ? shape(body.schema.$ref) : body.schema), ...schemas(body.schema).slice(1)) : []),
			...part(say("Answers", "响应"), answers(operation), ...schemas(answer?.schema)),
			...(media && media !== "application/json" ? [] : part(say("Try it", "试一试"), trial(path, method, operation))));
	});
	return node;
}

const groups = new Map();
for (const [path, methods] of Object.entries(api.paths))
	for (const [method, operation] of Object.entries(methods)) {
		const [tag] = operation.tags;
		groups.set(tag, [...(groups.get(tag) ?? []), question(path, method, operation)]);
	}
main.append(
	el("h1", { text: `${api.info.title} ${api.info.version}` }), el("p", { text: api.info.description }),
	el("p", {}, el("a", { href: "/", text: say("Search", "搜索") }), " · ", el("a", { href: "/openapi.json", text: "openapi.json" })),
	...[...groups].flatMap(([tag, all]) => [el("h2", { text: tag }), ...all]),
	el("h2", { text: say("Problems", "问题类型") }),
	table(api["x-problems"].map(({ type, status, title }) =>
		el("tr", { id: type.split("#")[1] }, el("th", { scope: "row", text: status }), el("td", {}, el("code", { text: type })), el("td", { text: title })))));
/// What the address names, which was not there when the browser looked.
function go() {
	const chosen = document.getElementById(location.hash.slice(1));
	if (chosen?.matches("details")) chosen.open = true;
	chosen?.scrollIntoView();
}
on(window, "hashchange", go);
go();
