// All texts of the page, English and Chinese side by side, and how values are written in them.

import { local, page } from "./dom.js";

const TEXTS = {
	page: {
		skip: ["Skip to results", "跳到结果"],
		"remove-named": ["Remove {name}", "移除 {name}"],
		strip: ["What to show", "显示选项"],
		min: ["Lowest score", "最低分数"],
		"min-off": ["any", "不限"],
		gallery: ["Gallery", "图库"],
		language: ["中文", "EN"],
		"language-label": ["切换到中文", "EN: switch to English"],
		theme: ["Dark or light", "深色或浅色"],
		"filters-title": ["Filters", "筛选"],
		"filters-on": ["Filters in use", "已启用的筛选"],
		"range-from": ["from", "从"],
		"range-to": ["to", "到"],
		results: ["Results", "结果"],
		changed: ["The gallery has changed.", "图库已更新。"],
		reload: ["Reload", "重新载入"],
		score: ["score {score}", "分数 {score}"],
	},
	box: {
		label: ["Search by words or a picture", "用文字或图片搜索"],
		placeholder: ["Describe a picture, or drop one here", "描述一张图片，或把图片拖到这里"],
		choose: ["Search with a picture", "用图片搜索"],
		clear: ["Clear", "清空"],
		"own-picture": ["your picture", "你的图片"],
		like: ["like this", "与此相似"],
		recent: ["Recent searches", "最近搜索"],
		forget: ["Forget them", "清除记录"],
		drop: ["Drop a picture to find others like it", "松开即可查找相似图片"],
	},
	part: {
		minus: ["without", "排除"],
		plus: ["also", "加上"],
		exact: ["exactly", "精确"],
		filter: ["filter", "筛选"],
	},
	mix: {
		label: ["Weight of the picture against the words", "图片相对文字的权重"],
		words: ["Words", "文字"],
		picture: ["Picture", "图片"],
	},
	kind: {
		label: ["What to find", "查找内容"],
		image: ["Pictures", "图片"],
		text: ["Captions", "文字"],
	},
	sort: {
		label: ["Sort", "排序"],
		relevance: ["Best first", "最相关"],
		gallery: ["As indexed", "入库顺序"],
		date: ["Newest first", "最新"],
	},
	keys: {
		label: ["Keys and query language", "快捷键与查询语法"],
		title: ["Keys", "快捷键"],
		box: ["to the search box", "转到搜索框"],
		move: ["move in the results; previous and next picture", "在结果中移动；上一张、下一张"],
		open: ["open", "打开"],
		close: ["close; leave the box", "关闭；离开搜索框"],
		zoom: ["zoom in, out, to fit", "放大、缩小、适合窗口"],
		like: ["more like the open picture", "查找与当前图片相似的"],
		copy: ["copy its path", "复制路径"],
		about: ["show or hide its details", "显示或隐藏信息"],
		filters: ["filters", "筛选"],
		help: ["this list", "显示此列表"],
	},
	filter: {
		words: ["Words of the query", "查询中的词"],
		expression: ["Filter expression", "筛选表达式"],
		"expression.hint": ["e.g. year >= 2020 AND NOT tag = work", "例如：年 >= 2020 AND NOT 标签 = 工作"],
		more: ["More …", "更多…"],
		none: ["No values", "没有可选的值"],
	},
	words: {
		off: ["by meaning", "按含义"],
		fuse: ["by meaning and wording", "含义与字面结合"],
		exact: ["must all occur", "必须全部出现"],
	},
	count: {
		image: ["{n} pictures", "{n} 张图片"],
		"image.1": ["{n} picture", "{n} 张图片"],
		text: ["{n} captions", "{n} 条文字"],
		"text.1": ["{n} caption", "{n} 条文字"],
		took: ["{count} · {ms} ms", "{count} · {ms} 毫秒"],
		above: ["{n}{more} of {total} score {min} or more", "{total} 项中有 {n}{more} 项不低于 {min} 分"],
	},
	none: {
		title: ["Nothing matches", "没有匹配的结果"],
		below: ["No score reaches {min}; the best is {best}.", "没有结果达到 {min} 分，最高为 {best} 分。"],
		lower: ["Show the best anyway", "仍然显示最接近的"],
		filtered: ["Nothing passes these filters.", "没有内容符合这些筛选条件。"],
		clear: ["Clear the filters", "清除筛选"],
		words: ["Nothing has all of these words.", "没有内容同时包含这些词。"],
		meaning: ["Search by meaning instead", "改为按含义搜索"],
		empty: ["This gallery is empty", "图库还是空的"],
		"empty.detail": ["Add a folder of pictures: tuwen index FOLDER", "添加一个图片文件夹：tuwen index 文件夹"],
		page: ["Nothing was found for this query.", "没有找到结果。"],
	},
	error: {
		retry: ["Try again", "重试"],
		offline: ["The server does not answer", "服务器没有响应"],
		"offline.detail": ["Is tuwen serve still running, and is this device on its network?", "请确认 tuwen serve 仍在运行，且设备与它在同一网络。"],
		server: ["The server has a problem", "服务器出现问题"],
		request: ["The server does not understand this", "服务器无法理解这个请求"],
		key: ["The server wants a key that this page does not have", "服务器需要密钥，而此页面没有"],
		large: ["The picture is too large", "图片太大"],
		busy: ["The server is busy; try again in a moment", "服务器繁忙，请稍后再试"],
		picture: ["This browser cannot read {name}; a JPEG, PNG or WebP works.", "浏览器无法读取 {name}，请使用 JPEG、PNG 或 WebP。"],
		"no-picture": ["That was no picture.", "这不是图片。"],
	},
	detail: {
		label: ["Open item", "查看条目"],
		close: ["Close", "关闭"],
		previous: ["Previous", "上一张"],
		next: ["Next", "下一张"],
		"zoom-in": ["Zoom in", "放大"],
		"zoom-out": ["Zoom out", "缩小"],
		about: ["Information", "信息"],
		like: ["More like this", "查找相似"],
		copy: ["Copy path", "复制路径"],
		copied: ["Copied", "已复制"],
		"not-copied": ["Could not copy", "无法复制"],
		captions: ["Captions", "描述"],
		fields: ["Details", "详细信息"],
		alike: ["Similar", "相似图片"],
		size: ["Size", "尺寸"],
		path: ["Path", "路径"],
		of: ["Caption of {name}", "{name} 的描述"],
		filter: ["All with {name}: {value}", "查看所有{name}为“{value}”的内容"],
	},
	query: {
		title: ["Queries", "查询语法"],
		words: ["what is in the picture, in plain words", "直接描述图片内容"],
		minus: ["without people", "排除人物"],
		exact: ["this word in a caption or name", "描述或文件名中有这个词"],
		filter: ["only those years; any field of the filters works", "只看这些年份；筛选中的字段都可以用"],
	},
};

// Fields and values that tuwen fills by itself; others are shown as the caption file calls them.
const FIELDS = {
	en: { bytes: "file size", extension: "file type", date: "taken" },
	zh: {
		width: "宽", height: "高", megapixels: "百万像素", bytes: "文件大小", orientation: "方向", format: "格式", name: "文件名",
		extension: "扩展名", folder: "文件夹", date: "拍摄时间", year: "年份", month: "月份", day: "日", hour: "小时", camera: "相机",
		lens: "镜头", latitude: "纬度", longitude: "经度", altitude: "海拔", tag: "标签", software: "软件", description: "说明",
	},
};
const VALUES = { orientation: { landscape: "横向", portrait: "纵向", square: "方形" } };

const short = () => (page.lang.startsWith("zh") ? "zh" : "en");
let language = short();

/// What a caption file calls a field may be called so by JavaScript too: `constructor`.
const own = (table, name) => (table && Object.hasOwn(table, name) ? table[name] : undefined);

export const count = (n) => n.toLocaleString(language);

/// The text of a name; `{x}` in it is the value of x.
export function t(name, values = {}) {
	const [group, text] = name.split(/\.(.*)/u);
	return TEXTS[group][text][language === "zh" ? 1 : 0].replace(/\{(\w+)\}/gu, (_, value) => values[value]);
}

export function fieldName(name) {
	const shown = own(FIELDS[language], name) ?? name;
	return shown.charAt(0).toUpperCase() + shown.slice(1);
}

export function valueName(name, value) {
	if (name === "date") return (value > 0 ? new Date(value * 1000).toISOString().slice(0, 19) : String(value)).replace("T", " ");
	if (name === "bytes") return size(Number(value));
	return (language === "zh" && own(own(VALUES, name), value)) || String(value);
}

export function size(bytes) {
	const power = Math.min(3, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
	const shown = bytes / 1000 ** power;
	return `${shown.toLocaleString(language, { maximumFractionDigits: shown < 10 && power ? 1 : 0 })} ${["B", "kB", "MB", "GB"][power]}`;
}

/// Puts the texts into index.html: `data-t` is an element's text, `data-label` its label and tooltip.
export function translate() {
	for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
	for (const node of document.querySelectorAll("[data-label]")) {
		node.ariaLabel = t(node.dataset.label);
		if (node.matches("button")) node.title = t(node.dataset.label);
	}
	for (const node of document.querySelectorAll("[data-placeholder]")) node.placeholder = t(node.dataset.placeholder);
}

export function switchLanguage() {
	page.lang = language === "zh" ? "en" : "zh-CN";
	language = short();
	local.set("language", page.lang);
	translate();
}
