// All texts of the page: English stands in the code and in index.html, Chinese here. And how values are written in both.

import { $, $$, el, local, page } from "./dom.js";

const CHINESE = new Map(`
中文|EN
切换到中文|EN: switch to English
Skip to results|跳到结果
Remove {name}|移除 {name}
What to show|显示选项
Lowest score|最低分数
any|不限
Gallery|图库
Dark or light|深色或浅色
Filters|筛选
Filters in use|已启用的筛选
Results|结果
The gallery has changed.|图库已更新。
Reload|重新载入
Near-duplicates|近似重复
Fold near-duplicates|合并近似重复
Find duplicates …|查找重复…
Duplicates|重复图片
Alike from|相似度不低于
Comparing …|正在比较…
{n} group|{n} 组
{n} groups|{n} 组
Keep {name}|保留 {name}
Keep one, remove {n}|保留一张，移出 {n} 张
Open|打开
More|更多
Words of the query|查询中的词
Why this picture|为什么是这张图
Fast map|快图
Captions of others like it|相似图片的描述
made by {name}|由 {name} 生成
Describe it|生成描述
Text|文字
Caption|描述
Name|文件名
Nothing here matches.|没有匹配的结果。
Perhaps nothing here matches.|可能没有匹配的结果。
These come nearest.|以下是最接近的。
The newest of what comes nearest stands first.|以下是最接近的，最新的在前。
the first {first} of {of}|仅前 {first} 项，共 {of} 项
the best {first} of {of}|最匹配的 {first} 项，共 {of} 项
The list ends here: {within}.|到此为止：{within}。
Near-duplicates are folded among the best alone.|近似重复只在最匹配的结果中合并。
Wording counts among the best alone.|字面只在最匹配的结果中计入。
By date only what matches best is listed.|按日期只列出最匹配的结果。
Go on without|取消并继续
Counts are of all that the filters leave, however well it matches.|数量按筛选条件统计，与匹配程度无关。
Search by words or a picture|用文字或图片搜索
Describe a picture, or drop one here|描述一张图片，或把图片拖到这里
Search with a picture|用图片搜索
Clear|清空
your picture|你的图片
like this|与此相似
Weight of the picture against the words|图片相对文字的权重
Words|文字
Picture|图片
What to find|查找内容
Pictures|图片
Captions|文字
Sort|排序
Best first|最相关
As indexed|入库顺序
Newest first|最新
Compare with another gallery|与另一个图库比较
Compare with …|比较…
Of the first {n}: {both} in both, {alone} only here|前 {n} 项中：两边都有 {both} 项，仅此处有 {alone} 项
Place {here} here, {there} there|此处第 {here} 位，另一侧第 {there} 位
Not among the first {n} there|不在另一侧的前 {n} 项中
only here|仅此处
the same picture in the other gallery|另一图库中的同一张图片
Keys and query language|快捷键与查询语法
Wording counts too|同时考虑字面
Look again at the first hits|重新细看靠前的结果
was at {rank} before it was looked at again|细看之前排在第 {rank} 位
The server is busy|服务器繁忙
Forget recent searches|清除搜索记录
The server cannot do this|服务器无法完成
{n} items|{n} 项
{n} item|{n} 项
{n} of {total} score {min} or more|{total} 项中有 {n} 项不低于 {min} 分
Nothing matches|没有匹配的结果
No score reaches {min}; the best is {best}.|没有结果达到 {min} 分，最高为 {best} 分。
Show the best anyway|仍然显示最接近的
Nothing passes these filters.|没有内容符合这些筛选条件。
Clear the filters|清除筛选
This gallery is empty|图库还是空的
Add a folder of pictures: tuwen index FOLDER|添加一个图片文件夹：tuwen index 文件夹
Try again|重试
The server does not answer|服务器没有响应
Is tuwen serve still running, and is this device on its network?|请确认 tuwen serve 仍在运行，且设备与它在同一网络。
This browser cannot read {name}; a JPEG, PNG or WebP works.|浏览器无法读取 {name}，请使用 JPEG、PNG 或 WebP。
That was no picture.|这不是图片。
Open item|查看条目
Close|关闭
Cancel|取消
Previous|上一张
Next|下一张
Zoom in|放大
Zoom out|缩小
More like this|查找相似
Copy path|复制路径
Copied|已复制
Show in folder|在文件夹中显示
The folder's path is copied: open it in your file manager.|已复制文件夹路径，请在文件管理器中打开。
Could not copy|无法复制
Details|详细信息
Similar|相似图片
Size|尺寸
Path|路径
Caption of {name}|{name} 的描述
Tags|标签
Add a tag|添加标签
Tag|打标签
Tag what is selected|给所选内容打标签
Several with commas between them.|多个标签用逗号分隔。
Add|添加
Take away|移除
Items changed: {n}|已更改：{n} 项
Select|选择
Select {name}|选择 {name}
Selected items|所选内容
{n} selected|已选 {n} 项
Clear the selection|取消选择
All|全选
Download|下载
Packing {at} of {n}|正在打包第 {at}/{n} 个
Packed.|打包完成。
That is too much for one ZIP file.|一个 ZIP 文件装不下。
Files that could not be read: {n}|无法读取的文件：{n}
Remove from gallery|移出图库
{n} removed from the gallery; the files stay.|已从图库移出 {n} 项，文件仍在。
Undo|撤销
Restore|恢复
{n} restored.|已恢复 {n} 项。
Removed pictures|已移出的图片
This item is not in the gallery.|图库中没有这一项。
This item was removed from the gallery.|这一项已移出图库。
Removed pictures ({n})|已移出的图片（{n}）
Add pictures|添加图片
Add to gallery|加入图库
From this device …|从本机选择…
A folder of the machine that runs tuwen|运行 tuwen 的机器上的文件夹
Add the folder|添加文件夹
Adding {at} of {n}|正在添加第 {at}/{n} 张
{added} added, {same} were there already.|新增 {added} 张，{same} 张已存在。
Indexing {done} of {seen}|正在索引 {done}/{seen}
waiting|等待中
running|进行中
done|已完成
failed|失败
stopped|已停止
Stop|停止
Key|密钥
Use a key that may write|使用可写的密钥
One that may write; until this tab is closed.|需要可写的密钥，关闭此标签页后失效。
This key may only read.|此密钥只能读取。
to the search box|转到搜索框
move|移动
open, close|打开、关闭
select; with Shift up to here|选择；按住 Shift 选到此处
zoom|缩放
more like this|查找相似
copy the path|复制路径
filters|筛选
this list|显示此列表
what is to be seen|描述图片内容
without people|排除人物
a word in a caption or name|描述或文件名中有这个词
any field of the filters|筛选中的任意字段
`.trim().split("\n").map((line) => line.split("|")));

// What is typed, and what it does: keys, then the query language.
const HELP = {
	"/": "to the search box",
	"← → ↑ ↓": "move",
	"Enter, Esc": "open, close",
	x: "select; with Shift up to here",
	"+ - 0": "zoom",
	l: "more like this",
	c: "copy the path",
	f: "filters",
	v: "the same picture in the other gallery",
	"?": "this list",
	"a dog 海边": "what is to be seen",
	"-people": "without people",
	'"beach"': "a word in a caption or name",
	"year:2020..2023": "any field of the filters",
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
const VALUES = { landscape: "横向", portrait: "纵向", square: "方形" };

const short = () => (page.lang.startsWith("zh") ? "zh" : "en");
let language = short();

/// What a caption file calls a field may be called so by JavaScript too: `constructor`.
export const own = (table, name) => (Object.hasOwn(table, name) ? table[name] : undefined);

export const count = (n) => n.toLocaleString(language);
export const percent = (share) => share.toLocaleString(language, { style: "percent" });

/// A text in the page's language; `{x}` in it is the value of x.
export const t = (text, values = {}) =>
	((language === "zh" && CHINESE.get(text)) || text).replace(/\{(\w+)\}/gu, (_, name) => values[name]);

export function fieldName(name) {
	const shown = own(FIELDS[language], name) ?? name;
	return shown.charAt(0).toUpperCase() + shown.slice(1);
}

export function valueName(name, value) {
	if (name === "date") return (value > 0 ? new Date(value * 1000).toISOString().slice(0, 19) : String(value)).replace("T", " ");
	if (name === "bytes") return size(Number(value));
	return (language === "zh" && name === "orientation" && own(VALUES, value)) || String(value);
}

export function size(bytes) {
	const power = Math.min(3, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
	const shown = bytes / 1000 ** power;
	return `${shown.toLocaleString(language, { maximumFractionDigits: shown < 10 && power ? 1 : 0 })} ${["B", "kB", "MB", "GB"][power]}`;
}

/// Puts the language into index.html: of elements with `data-t` the text, `data-label` is a label and tooltip.
export function translate() {
	for (const node of $$("[data-t]")) node.textContent = t((node.dataset.t ||= node.textContent));
	for (const node of $$("[data-label]")) {
		node.ariaLabel = t(node.dataset.label);
		if (node.matches("button")) node.title = node.ariaLabel;
	}
	for (const node of $$("[data-placeholder]")) node.placeholder = t(node.dataset.placeholder);
	$("#help-list").replaceChildren(...Object.entries(HELP).flatMap(([keys, text]) =>
		[el("dt", {}, el("kbd", { text: keys })), el("dd", { text: t(text) })]));
}

export function switchLanguage() {
	page.lang = language === "zh" ? "en" : "zh-CN";
	language = short();
	local.set("language", page.lang);
	translate();
}
