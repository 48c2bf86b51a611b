// All texts of the page, in English and Chinese, and how values are written in them.

import { local } from "./dom.js";

const number = (n) => n.toLocaleString(language);
const some = (n, one, many) => `${number(n)} ${n === 1 ? one : many}`;

const ENGLISH = {
  "page.skip": "Skip to results",
  "box.label": "Search by words or a picture",
  "box.placeholder": "Describe a picture, or drop one here",
  "box.choose": "Search with a picture",
  "box.clear": "Clear",
  "box.own-picture": "your picture",
  "box.like": "like this",
  "box.recent": "Recent searches",
  "box.forget": "Forget them",
  "box.drop": "Drop a picture to find others like it",
  "part.minus": "without",
  "part.plus": "also",
  "part.exact": "exactly",
  "part.filter": "filter",
  "remove.named": ({ name }) => `Remove ${name}`,
  "mix.label": "Weight of the picture against the words",
  "mix.words": "Words",
  "mix.picture": "Picture",
  "strip.label": "What to show",
  "kind.label": "What to find",
  "kind.image": "Pictures",
  "kind.text": "Captions",
  "sort.label": "Sort",
  "sort.relevance": "Best first",
  "sort.gallery": "As indexed",
  "sort.date": "Newest first",
  "min.label": "Lowest score",
  "min.off": "any",
  "gallery.label": "Gallery",
  "language.switch": "中文",
  "language.label": "切换到中文",
  "theme.label": "Dark or light",
  "keys.label": "Keys and query language",
  "filters.title": "Filters",
  "filters.on": "Filters in use",
  "filter.words": "Words of the query",
  "words.off": "by meaning",
  "words.fuse": "by meaning and wording",
  "words.exact": "must all occur",
  "filter.expression": "Filter expression",
  "filter.expression.hint": "e.g. year >= 2020 AND NOT tag = work",
  "filter.contains": ({ name }) => `${name} contains`,
  "filter.contains.short": "contains …",
  "filter.more": "More …",
  "filter.none": "No values",
  "range.from": "from",
  "range.to": "to",
  "results.label": "Results",
  "count.all": ({ n, kind }) => (kind === "text" ? some(n, "caption", "captions") : some(n, "picture", "pictures")),
  "count.took": ({ count, ms }) => `${count} · ${ms} ms`,
  "count.above": ({ n, total, min, more }) => `${number(n)}${more ? "+" : ""} of ${number(total)} score ${min} or more`,
  "none.title": "Nothing matches",
  "none.below": ({ min, best }) => `No score reaches ${min}; the best is ${best}.`,
  "none.lower": "Show the best anyway",
  "none.filtered": "Nothing passes these filters.",
  "none.clear": "Clear the filters",
  "none.words": "Nothing has all of these words.",
  "none.meaning": "Search by meaning instead",
  "none.empty": "This gallery is empty",
  "none.empty.detail": "Add a folder of pictures: tuwen index FOLDER",
  "none.page": "Nothing was found for this query.",
  "changed": "The gallery has changed.",
  "reload": "Reload",
  "score": ({ score }) => `score ${score}`,
  "error.retry": "Try again",
  "error.offline": "The server does not answer",
  "error.offline.detail": "Is tuwen serve still running, and is this device on its network?",
  "error.server": "The server has a problem",
  "error.request": "The server does not understand this",
  "error.key": "The server wants a key that this page does not have",
  "error.large": "The picture is too large",
  "error.busy": "The server is busy; try again in a moment",
  "error.picture": ({ name }) => `This browser cannot read ${name}; a JPEG, PNG or WebP works.`,
  "error.no-picture": "That was no picture.",
  "detail.label": "Open item",
  "detail.close": "Close",
  "detail.previous": "Previous",
  "detail.next": "Next",
  "detail.zoom-in": "Zoom in",
  "detail.zoom-out": "Zoom out",
  "detail.about": "Information",
  "detail.like": "More like this",
  "detail.copy": "Copy path",
  "detail.copied": "Copied",
  "detail.not-copied": "Could not copy",
  "detail.captions": "Captions",
  "detail.fields": "Details",
  "detail.alike": "Similar",
  "detail.size": "Size",
  "detail.path": "Path",
  "detail.of": ({ name }) => `Caption of ${name}`,
  "detail.filter": ({ name, value }) => `All with ${name}: ${value}`,
  "keys.title": "Keys",
  "keys.box": "to the search box",
  "keys.move": "move in the results; previous and next picture",
  "keys.open": "open",
  "keys.close": "close; leave the box",
  "keys.zoom": "zoom in, out, to fit",
  "keys.like": "more like the open picture",
  "keys.copy": "copy its path",
  "keys.about": "show or hide its details",
  "keys.filters": "filters",
  "keys.help": "this list",
  "query.title": "Queries",
  "query.words": "what is in the picture, in plain words",
  "query.minus": "without people",
  "query.exact": "this word in a caption or name",
  "query.filter": "only those years; any field of the filters works",
};

const CHINESE = {
  "page.skip": "跳到结果",
  "box.label": "用文字或图片搜索",
  "box.placeholder": "描述一张图片，或把图片拖到这里",
  "box.choose": "用图片搜索",
  "box.clear": "清空",
  "box.own-picture": "你的图片",
  "box.like": "与此相似",
  "box.recent": "最近搜索",
  "box.forget": "清除记录",
  "box.drop": "松开即可查找相似图片",
  "part.minus": "排除",
  "part.plus": "加上",
  "part.exact": "精确",
  "part.filter": "筛选",
  "remove.named": ({ name }) => `移除 ${name}`,
  "mix.label": "图片相对文字的权重",
  "mix.words": "文字",
  "mix.picture": "图片",
  "strip.label": "显示选项",
  "kind.label": "查找内容",
  "kind.image": "图片",
  "kind.text": "文字",
  "sort.label": "排序",
  "sort.relevance": "最相关",
  "sort.gallery": "入库顺序",
  "sort.date": "最新",
  "min.label": "最低分数",
  "min.off": "不限",
  "gallery.label": "图库",
  "language.switch": "EN",
  "language.label": "EN: switch to English",
  "theme.label": "深色或浅色",
  "keys.label": "快捷键与查询语法",
  "filters.title": "筛选",
  "filters.on": "已启用的筛选",
  "filter.words": "查询中的词",
  "words.off": "按含义",
  "words.fuse": "含义与字面结合",
  "words.exact": "必须全部出现",
  "filter.expression": "筛选表达式",
  "filter.expression.hint": "例如：年 >= 2020 AND NOT 标签 = 工作",
  "filter.contains": ({ name }) => `${name}包含`,
  "filter.contains.short": "包含…",
  "filter.more": "更多…",
  "filter.none": "没有可选的值",
  "range.from": "从",
  "range.to": "到",
  "results.label": "结果",
  "count.all": ({ n, kind }) => (kind === "text" ? `${number(n)} 条文字` : `${number(n)} 张图片`),
  "count.took": ({ count, ms }) => `${count} · ${ms} 毫秒`,
  "count.above": ({ n, total, min, more }) => `${number(total)} 项中有 ${number(n)}${more ? "+" : ""} 项不低于 ${min} 分`,
  "none.title": "没有匹配的结果",
  "none.below": ({ min, best }) => `没有结果达到 ${min} 分，最高为 ${best} 分。`,
  "none.lower": "仍然显示最接近的",
  "none.filtered": "没有内容符合这些筛选条件。",
  "none.clear": "清除筛选",
  "none.words": "没有内容同时包含这些词。",
  "none.meaning": "改为按含义搜索",
  "none.empty": "图库还是空的",
  "none.empty.detail": "添加一个图片文件夹：tuwen index 文件夹",
  "none.page": "没有找到结果。",
  "changed": "图库已更新。",
  "reload": "重新载入",
  "score": ({ score }) => `分数 ${score}`,
  "error.retry": "重试",
  "error.offline": "服务器没有响应",
  "error.offline.detail": "请确认 tuwen serve 仍在运行，且设备与它在同一网络。",
  "error.server": "服务器出现问题",
  "error.request": "服务器无法理解这个请求",
  "error.key": "服务器需要密钥，而此页面没有",
  "error.large": "图片太大",
  "error.busy": "服务器繁忙，请稍后再试",
  "error.picture": ({ name }) => `浏览器无法读取 ${name}，请使用 JPEG、PNG 或 WebP。`,
  "error.no-picture": "这不是图片。",
  "detail.label": "查看条目",
  "detail.close": "关闭",
  "detail.previous": "上一张",
  "detail.next": "下一张",
  "detail.zoom-in": "放大",
  "detail.zoom-out": "缩小",
  "detail.about": "信息",
  "detail.like": "查找相似",
  "detail.copy": "复制路径",
  "detail.copied": "已复制",
  "detail.not-copied": "无法复制",
  "detail.captions": "描述",
  "detail.fields": "详细信息",
  "detail.alike": "相似图片",
  "detail.size": "尺寸",
  "detail.path": "路径",
  "detail.of": ({ name }) => `${name} 的描述`,
  "detail.filter": ({ name, value }) => `查看所有${name}为“${value}”的内容`,
  "keys.title": "快捷键",
  "keys.box": "转到搜索框",
  "keys.move": "在结果中移动；上一张、下一张",
  "keys.open": "打开",
  "keys.close": "关闭；离开搜索框",
  "keys.zoom": "放大、缩小、适合窗口",
  "keys.like": "查找与当前图片相似的",
  "keys.copy": "复制路径",
  "keys.about": "显示或隐藏信息",
  "keys.filters": "筛选",
  "keys.help": "显示此列表",
  "query.title": "查询语法",
  "query.words": "直接描述图片内容",
  "query.minus": "排除人物",
  "query.exact": "描述或文件名中有这个词",
  "query.filter": "只看这些年份；筛选中的字段都可以用",
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

const short = () => (document.documentElement.lang.startsWith("zh") ? "zh" : "en");
let language = short();

/// The text of a name, with its values.
export function t(name, values) {
  const text = (language === "zh" ? CHINESE : ENGLISH)[name] ?? name;
  return typeof text === "function" ? text(values) : text;
}

export function fieldName(name) {
  const shown = FIELDS[language][name] ?? name;
  return shown.charAt(0).toUpperCase() + shown.slice(1);
}

export function valueName(name, value) {
  if (name === "date") return String(value).replace("T", " ");
  if (name === "bytes") return size(Number(value));
  return (language === "zh" && VALUES[name]?.[value]) || String(value);
}

/// A size of a file.
export function size(bytes) {
  const power = Math.min(3, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const shown = bytes / 1000 ** power;
  return `${shown.toLocaleString(language, { maximumFractionDigits: shown < 10 && power ? 1 : 0 })} ${["B", "kB", "MB", "GB"][power]}`;
}

/// Puts the texts into what index.html has written: `data-t` is an element's text, `data-label` its label and tooltip,
/// `data-placeholder` a field's placeholder.
export function translate(root = document) {
  for (const node of root.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of root.querySelectorAll("[data-label]")) {
    node.ariaLabel = t(node.dataset.label);
    if (node.matches("button")) node.title = t(node.dataset.label);
  }
  for (const node of root.querySelectorAll("[data-placeholder]")) node.placeholder = t(node.dataset.placeholder);
}

/// Changes to the other language.
export function switchLanguage() {
  document.documentElement.lang = language === "zh" ? "en" : "zh-CN";
  language = short();
  local.set("language", document.documentElement.lang);
  translate();
}
