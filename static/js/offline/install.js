// 添加到桌面: offered once somebody has seen the use of it, and never again after a no.

import { listen } from './channel.js';
import * as notice from './notice.js';

const ENOUGH = 2;
let prompt = null;

export function start() {
  if (matchMedia('(display-mode: standalone)').matches || navigator.standalone) return;
  if (read('nx-install') === 'no') return;
  if (!sessionStorage.getItem('nx-seen')) {
    sessionStorage.setItem('nx-seen', '1');
    count('nx-visits');
  }
  window.addEventListener('beforeinstallprompt', (event) => {
    event.preventDefault();
    prompt = event;
    hint();
  });
  window.addEventListener('appinstalled', () => {
    write('nx-install', 'no');
    notice.hide('install');
  });
  listen((message) => {
    if (message.t === 'outbox' && message.change === 'added') {
      count('nx-saved');
      hint();
    }
  });
  hint();
}

function hint() {
  if (Number(read('nx-visits')) < ENOUGH && Number(read('nx-saved')) < ENOUGH) return;
  const dismiss = () => write('nx-install', 'no');
  if (prompt) {
    notice.show('install', {
      text: '放到手机桌面，没有信号也能打开。',
      action: '添加',
      dismiss,
      run: async () => {
        notice.hide('install');
        await prompt.prompt();
        prompt = null;
      },
    });
  } else if (/iPhone|iPad|iPod/.test(navigator.userAgent)) {
    const inWeChat = /MicroMessenger/.test(navigator.userAgent);
    const how = inWeChat
      ? '请点右上角“…”，用 Safari 打开，再添加到主屏幕，没有信号也能用。'
      : '点底部的分享按钮，再点“添加到主屏幕”，没有信号也能打开。';
    notice.show('install', { text: how, dismiss });
  }
}

function read(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // then it is asked again next time
  }
}

function count(key) {
  write(key, String(Number(read(key)) + 1));
}
