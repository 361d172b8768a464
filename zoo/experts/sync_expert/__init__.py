"""The sync expert of Wav2Lip: do these five frames and this sound belong together?"""
